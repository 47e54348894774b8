/** Files of rules as they were written: each rule, and the line and column of every part of it. */
import { readFileSync } from "node:fs";
import path from "node:path";

import { type Document, isScalar, isSeq, LineCounter, parseDocument, type Scalar } from "yaml";

import { Refusal } from "../../kernel/refusal.ts";
import type { Finding } from "../../policy/check/check-rules.ts";

export interface RuleFile {
  readonly file: string;
  /** The members of `policies`, whatever they are. */
  readonly rules: readonly unknown[];
  /** Where in the file a finding is about. */
  readonly placeOf: (finding: Pick<Finding, "index" | "at" | "place">) => Place;
}

export interface Place {
  readonly line: number;
  readonly column: number;
}

/** The file that has the list: this one, or the one its `policies` names. @throws Refusal `bad_config` */
export function readRuleFile(file: string): RuleFile {
  const { document, text, lines } = readYaml(file);
  const list: unknown = document.get("policies", true);
  if (isScalar(list) && typeof list.value === "string") {
    return readRuleFile(path.resolve(path.dirname(file), list.value));
  }
  if (document.hasIn(["policies", "bundle"])) {
    throw new Refusal(
      "bad_config",
      `The rules of ${file} come in a bundle: "latticegate policy bundle verify BUNDLE --config ${file}" checks one.`,
    );
  }
  return rulesIn(file, { document, text, lines });
}

/** Rules that stand in no file yet. @param name what they are called in messages @throws Refusal `bad_config` */
export function readRuleText(text: string, name: string): RuleFile {
  return rulesIn(name, yamlOf(text, name));
}

function rulesIn(file: string, written: Written): RuleFile {
  const { document } = written;
  const list: unknown = document.get("policies", true);
  if (!isSeq(list)) throw new Refusal("bad_config", `${file} has no list of rules under \`policies\`.`);
  return {
    file,
    rules: withoutAliases(file, (options) => list.toJS(document, options) as readonly unknown[]),
    placeOf: (finding) => placeOf(finding, written),
  };
}

export interface Written {
  readonly document: Document;
  readonly text: string;
  readonly lines: LineCounter;
}

/** @throws Refusal `bad_config` */
export function readYaml(file: string): Written {
  return yamlOf(readText(file), file);
}

/** @throws Refusal `bad_config`, whose cause is what the parser says */
export function yamlOf(text: string, file: string): Written {
  const lines = new LineCounter();
  const document: Document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: true,
    uniqueKeys: true,
  });
  const [error] = [...document.errors, ...document.warnings];
  if (error !== undefined) throw new Refusal("bad_config", `${file}: ${error.message}`, { cause: error });
  return { document, text, lines };
}

/** What `read` makes of a document that is to have no aliases, as a config has none. @throws Refusal `bad_config` */
export function withoutAliases<T>(file: string, read: (options: { readonly maxAliasCount: 0 }) => T): T {
  try {
    return read({ maxAliasCount: 0 });
  } catch (cause) {
    throw new Refusal("bad_config", `${file}: write each value out; aliases (*name) aren't taken.`, {
      cause,
    });
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new Refusal("bad_config", `${file} can't be read. Write it, or name another.`, { cause });
  }
}

function placeOf({ index, at, place }: Pick<Finding, "index" | "at" | "place">, written: Written): Place {
  const { document, lines } = written;
  const whole = index === undefined ? ["policies"] : ["policies", index, ...at];
  for (let length = whole.length; length > 0; length -= 1) {
    const node: unknown = document.getIn(whole.slice(0, length), true);
    const start = startOf(node);
    if (start === undefined) continue;
    if (place !== undefined && length === whole.length && isScalar(node)) {
      return withinText(node, place, written) ?? shown(lines.linePos(start));
    }
    return shown(lines.linePos(start));
  }
  return { line: 1, column: 1 };
}

function startOf(node: unknown): number | undefined {
  if (typeof node !== "object" || node === null || !("range" in node)) return undefined;
  const { range } = node;
  return Array.isArray(range) && typeof range[0] === "number" ? range[0] : undefined;
}

function shown({ line, col }: { readonly line: number; readonly col: number }): Place {
  return { line, column: col };
}

/** Where the text stands in the file as it is; undefined where it was folded or escaped. */
function withinText(node: Scalar, place: Place, { text, lines }: Written): Place | undefined {
  const [start, end] = node.range ?? [];
  if (start === undefined || end === undefined || typeof node.value !== "string") return undefined;
  const first = shown(lines.linePos(start));
  if (node.type === "BLOCK_LITERAL") {
    const line = first.line + place.line;
    const content = text.split("\n")[first.line] ?? "";
    return { line, column: content.length - content.trimStart().length + place.column };
  }
  const at = text.indexOf(node.value, start);
  const isAsWritten = at === start || at === start + 1;
  if (!isAsWritten || place.line > 1) return undefined;
  return { line: first.line, column: first.column + (at - start) + place.column - 1 };
}
