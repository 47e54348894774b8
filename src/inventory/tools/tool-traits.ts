/**
 * What a tool may do, as four sources say it: its operator, its annotations, its schema, its name and description. None of
 * them is proof; where they differ, that is a finding, and the worse one counts until an operator says otherwise.
 */
import type { SeenTool } from "../sighting.ts";
import { firstWords, isWordOf, type WordKind, wordsOfName } from "./tool-words.ts";

export type TraitName =
  | "read"
  | "write"
  | "destructive"
  /** What it is given leaves for somewhere that others read. */
  | "egress"
  /** What it answers was written by anybody. */
  | "untrusted-input"
  /** What it answers isn't for everybody. */
  | "private-data";

export type TraitSource = "operator" | "annotation" | "schema" | "description";

export interface Trait {
  readonly trait: TraitName;
  readonly source: TraitSource;
  /** What it was concluded from, in words of ours and of the tool's. */
  readonly because: string;
}

/** What operators said of one tool: labels of the config, and whether it was approved as one that only reads. */
export interface OperatorSays {
  readonly isReadOnly: boolean;
  readonly labels: readonly string[];
}

export function traitsOf(tool: SeenTool, operator?: OperatorSays): readonly Trait[] {
  return [
    ...(operator === undefined ? [] : byOperator(operator)),
    ...byAnnotations(tool.annotations),
    ...byWords(tool),
    ...bySchema(tool),
  ];
}

/** Labels have any name; these are what such labels are called. */
const labelled: readonly (readonly [TraitName, RegExp])[] = [
  ["untrusted-input", /untrusted|external_input|foreign/],
  ["private-data", /private|personal|confidential|secret|pii|phi|internal|sensitive|restricted/],
  ["egress", /egress|external$|outbound|sends|public/],
  ["destructive", /destructive|irreversible/],
  ["write", /^writes?$|mutat/],
];

function byOperator({ isReadOnly, labels }: OperatorSays): readonly Trait[] {
  const found = labels.flatMap((label) =>
    labelled
      .filter(([, form]) => form.test(label.toLowerCase()))
      .map(([trait]): Trait => ({ trait, source: "operator", because: `labelled ${label}` })),
  );
  return isReadOnly ? [{ trait: "read", source: "operator", because: "said to read only" }, ...found] : found;
}

/** MCP 2025-11-25, tool annotations: hints of the server's own, worth what the server is worth. */
function byAnnotations(annotations: unknown): readonly Trait[] {
  const hint = (name: string): unknown =>
    typeof annotations === "object" && annotations !== null && Object.hasOwn(annotations, name)
      ? Reflect.get(annotations, name)
      : undefined;
  const say = (trait: TraitName, because: string): Trait => ({ trait, source: "annotation", because });
  const found: Trait[] = [];
  const reads = hint("readOnlyHint");
  if (reads === true) found.push(say("read", "readOnlyHint is true"));
  if (reads === false) found.push(say("write", "readOnlyHint is false"));
  if (hint("destructiveHint") === true && reads !== true)
    found.push(say("destructive", "destructiveHint is true"));
  if (hint("openWorldHint") === true) {
    found.push(
      reads === true
        ? say("untrusted-input", "openWorldHint is true")
        : say("egress", "openWorldHint is true, and it doesn't only read"),
    );
  }
  return found;
}

function byWords(tool: SeenTool): readonly Trait[] {
  const name = wordsOfName(tool.name);
  const says = firstWords(tool.description ?? "");
  const effect = effectOf(tool, name, says);
  if (effect === undefined) return whatItReads(name, says);
  return [effect, ...(effect.trait === "read" ? whatItReads(name, says) : whatItSends(name))];
}

function byDescription(trait: TraitName, because: string): Trait {
  return { trait, source: "description", because };
}

function whatItSends(name: readonly string[]): readonly Trait[] {
  const verb = verbOf(name);
  if (verb !== undefined && (isWordOf("sending", verb) || isWordOf("sendingThings", verb)))
    return [byDescription("egress", `is named "${verb}"`)];
  const running = firstOf("running", name);
  return running === undefined
    ? []
    : [byDescription("egress", `is named "${running}": what it runs can send`)];
}

function whatItReads(name: readonly string[], says: readonly string[]): readonly Trait[] {
  const outside = firstOf("outside", name);
  const others = outside ?? firstOf("fromOthers", name) ?? name.slice(-1).find(isOfOthers);
  const kept = outside === undefined ? firstOf("private", [...name, ...says.slice(0, 12)]) : undefined;
  return [
    ...(others === undefined
      ? []
      : [byDescription("untrusted-input", `reads "${others}", which others write`)]),
    ...(kept === undefined ? [] : [byDescription("private-data", `reads "${kept}"`)]),
  ];
}

function firstOf(kind: WordKind, words: readonly string[]): string | undefined {
  return words.find((word) => isWordOf(kind, word));
}

/** One of them, where that is what the tool is about: `read_email`, not `get_email_settings`. */
function isOfOthers(word: string): boolean {
  return isWordOf("fromOthers", `${word}s`);
}

/** Some makers write it out: `(read-only)`, `(write operation)`. */
const stated: readonly (readonly [TraitName, RegExp])[] = [
  ["destructive", /\((?:destructive|dangerous)[^)]{0,40}\)/i],
  ["write", /\((?:write|mutating)[^)]{0,40}\)/i],
  ["read", /\(read[- ]only[^)]{0,40}\)|\bread[- ]only operation\b/i],
];

function statedEffect({ description = "" }: SeenTool): Trait | undefined {
  const [trait] = stated.find(([, form]) => form.test(description.slice(0, 2000))) ?? [];
  return trait && byDescription(trait, "its description says so in brackets");
}

/** What the description says outright; else the verb, of the name or then of the first sentence. */
function effectOf(tool: SeenTool, name: readonly string[], says: readonly string[]): Trait | undefined {
  const outright = statedEffect(tool);
  if (outright !== undefined) return outright;
  const verb = verbOf(name);
  const kind = kindOfVerb(verb);
  // `create_or_replace_and_drop`: a destroying word counts wherever it stands, unless the tool reads: `get_deleted`.
  const destroys = name.find((word) => isWordOf("destroying", word));
  if (kind !== "read" && destroys !== undefined)
    return byDescription("destructive", `is named "${destroys}"`);
  if (verb !== undefined && kind !== undefined) return byDescription(kind, `is named "${verb}"`);
  const [first] = says;
  const spoken = kindOfVerb(first);
  return first === undefined || spoken === undefined
    ? undefined
    : byDescription(spoken, `its description begins with "${first}"`);
}

function verbOf(name: readonly string[]): string | undefined {
  const isVerb = (word: string): boolean =>
    kindOfVerb(word) !== undefined && !isWordOf("sendingThings", word);
  return name.find(isVerb) ?? name.slice(0, 1).find((word) => isWordOf("sendingThings", word));
}

function kindOfVerb(word: string | undefined): "read" | "write" | "destructive" | undefined {
  if (isWordOf("reading", word)) return "read";
  if (isWordOf("destroying", word)) return "destructive";
  const writes = (["writing", "sending", "sendingThings"] as const).some((kind) => isWordOf(kind, word));
  return writes ? "write" : undefined;
}

/** Parameters that name where something goes. */
const destinations =
  /^(?:to|cc|bcc|recipients?|webhook(?:_?url)?|destination|callback(?:_?url)?|phone(?:_?number)?)$/i;
const addresses = /^(?:url|uri|link|href|endpoint|target_?url|website)$/i;
const statements = /^(?:sql|query_?sql|statement|command|cmd|script|shell|code)$/i;
const maxParameters = 500;

function bySchema(tool: SeenTool): readonly Trait[] {
  const names = parameterNames(tool.inputSchema);
  const reads = effectOf(tool, wordsOfName(tool.name), firstWords(tool.description ?? ""))?.trait === "read";
  const say = (trait: TraitName, because: string): Trait => ({ trait, source: "schema", because });
  const found: Trait[] = [];
  // Of a tool that reads, `to` is the end of a range.
  const destination = reads ? undefined : names.find((name) => destinations.test(name));
  const address = names.find((name) => addresses.test(name));
  const statement = names.find((name) => statements.test(name));
  if (destination !== undefined) found.push(say("egress", `is told where to send (${destination})`));
  if (address !== undefined) {
    found.push(say("egress", `is told an address (${address}), which can carry what it likes`));
    found.push(say("untrusted-input", `reads from an address it is told (${address})`));
  }
  if (statement !== undefined) {
    found.push(say("write", `takes a whole statement (${statement}), which may do anything`));
    found.push(say("private-data", `takes a whole statement (${statement})`));
  }
  return found;
}

function parameterNames(schema: unknown): readonly string[] {
  if (typeof schema !== "object" || schema === null || !Object.hasOwn(schema, "properties")) return [];
  const properties: unknown = Reflect.get(schema, "properties");
  return typeof properties === "object" && properties !== null
    ? Object.keys(properties).slice(0, maxParameters)
    : [];
}
