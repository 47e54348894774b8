/** What gates see in a call and in texts: pure, synchronous, bounded, and never a fault, whatever comes. */
import type { Finding } from "../../model/finding.ts";
import { decodingsOf } from "../../wire/decodings.ts";
import { type Budget, type Look, wholeBudget } from "./budget.ts";
import { hiddenIn } from "./hidden.ts";
import { gateFinding } from "./kinds.ts";
import { defaultLimits, type Leaf, type Leaves, leavesOf, type Limits, within } from "./leaves.ts";
import { type Annotations, isDestructive, type Lookalikes, shadowing } from "./names.ts";
import { personalIn } from "./personal-data.ts";
import { checkSchema, type SchemaVerdict } from "./schema.ts";
import { namedSecret, secretsIn } from "./secrets.ts";
import { traitsOf } from "./traits.ts";

export interface CallLookedAt {
  readonly server: string;
  readonly tool: string;
  readonly args: unknown;
  /** As the server declared it, and it is pinned; without it nothing is held against it. */
  readonly inputSchema?: unknown;
  readonly annotations?: Annotations;
  /** A person has said yes to this very call. */
  readonly isConfirmed?: boolean;
  /** The tools of all servers (`lookalikesOf`). */
  readonly tools?: Lookalikes;
}

/** More of a kind would only be more of the same; and no kind leaves room for none of another. */
const maxOfKind = 8;

/** Secrets and personal data that leave in arguments, hidden text there, and what the tool's declaration says against the call. */
export function findingsInCall(call: CallLookedAt, limits: Limits = defaultLimits): readonly Finding[] {
  const leaves = leavesOf(call.args, "arguments", limits);
  const named = leaves.leaves.flatMap((leaf) => namedSecret(leaf));
  return fewOfEach([...findingsOfTool(call), ...named, ...findingsIn(leaves)]);
}

function findingsOfTool(call: CallLookedAt): readonly Finding[] {
  const { server, tool, args, inputSchema, annotations, isConfirmed, tools } = call;
  const found: Finding[] = [];
  const others = tools === undefined ? [] : shadowing(server, tool, tools);
  if (others.length > 0)
    found.push(
      gateFinding("shadowed", "tool", "Another server has a tool of that name, or one that looks like it."),
    );
  if (isConfirmed !== true && isDestructive(tool, annotations))
    found.push(gateFinding("destructive", "tool", "The call can't be undone, and nobody confirmed it."));
  const verdict: SchemaVerdict =
    inputSchema === undefined ? { kind: "fits" } : checkSchema(args ?? {}, inputSchema, "arguments");
  if (verdict.kind === "differs")
    found.push(gateFinding("schema", verdict.at, `The tool's schema doesn't allow that (${verdict.what}).`));
  if (verdict.kind === "unread")
    found.push(gateFinding("unread", "arguments", "The tool's schema asks for more than is gone through."));
  return found;
}

/** Secrets, personal data and hidden text in what a server says. */
export function findingsInText(texts: readonly Leaf[], limits: Limits = defaultLimits): readonly Finding[] {
  return fewOfEach(findingsIn(within(texts, limits)));
}

function findingsIn({ leaves, isAll }: Leaves): readonly Finding[] {
  const found: Finding[] = [];
  const unread = new Set<string>(isAll ? [] : [leaves.at(-1)?.at ?? "arguments"]);
  const budget = wholeBudget();
  for (const leaf of leaves) {
    const traits = traitsOf(leaf.text);
    const looks = [
      hiddenIn(leaf, traits, budget),
      secretsIn(leaf, budget),
      personalIn(leaf, traits, budget),
      ...(traits.hasRun ? [encodedIn(leaf, budget)] : []),
    ];
    if (looks.some(({ isAll: isAllOf }) => !isAllOf)) unread.add(leaf.at);
    found.push(...looks.flatMap((look) => look.found));
  }
  const told = [...unread]
    .slice(0, 4)
    .map((at) => gateFinding("unread", at, "There is more than is looked at."));
  return [...told, ...unique(found)];
}

/** What leaves in base64 or hexadecimal leaves all the same. */
function encodedIn({ at, text }: Leaf, budget: Budget): Look {
  if (budget.decodings <= 0 || text.length > budget.decodedChars) return { found: [], isAll: false };
  budget.decodings -= 1;
  budget.decodedChars -= text.length;
  const { texts, isAll } = decodingsOf(text);
  const looks = texts.flatMap((decoded) => {
    const leaf = { at, text: decoded };
    return [secretsIn(leaf, budget), personalIn(leaf, traitsOf(decoded), budget)];
  });
  return {
    found: looks.flatMap(({ found }) => found).filter(({ severity }) => severity !== "low"),
    isAll: isAll && looks.every((look) => look.isAll),
  };
}

function fewOfEach(found: readonly Finding[]): readonly Finding[] {
  const times = new Map<string, number>();
  return found.filter(({ kind }) => {
    const count = (times.get(kind) ?? 0) + 1;
    times.set(kind, count);
    return count <= maxOfKind;
  });
}

function unique(found: readonly Finding[]): readonly Finding[] {
  return [...new Map(found.map((each) => [`${each.kind} ${each.at ?? ""} ${each.says}`, each])).values()];
}
