/** What can be asked for at all: the tools that are known by name, and whatever else the rules that allow name. */
import { isWithin, matcher, namePattern, serverPattern, targetMatcher } from "../patterns.ts";
import { overlaps } from "../check/overlap.ts";
import { type RuleDocument, type TargetKind, targetKindNames } from "../rules.ts";

/** One thing that can be asked for, or all of a kind whose names are like a pattern. */
export interface ReachTarget {
  readonly kind: TargetKind;
  readonly server: string;
  readonly name: { readonly kind: "exact" | "pattern"; readonly text: string };
  /** Its description is pinned. */
  readonly isPinned: boolean;
  /** Undefined where nobody said. */
  readonly onlyReads?: boolean;
}

export interface KnownServer {
  readonly name: string;
  /** The pinned tools by name, and whether each is said to only read. */
  readonly tools: ReadonlyMap<string, { readonly onlyReads: boolean }>;
}

/** Those of one server, the known tools first; one row for each name or pattern that a rule allows beside them. */
export function targetsOf(server: KnownServer, allowing: readonly RuleDocument[]): readonly ReachTarget[] {
  const pinned = [...server.tools].map(([text, { onlyReads }]): ReachTarget => ({
    kind: "tools",
    server: server.name,
    name: { kind: "exact", text },
    isPinned: true,
    onlyReads,
  }));
  return [...pinned, ...targetKindNames.flatMap((kind) => namedTargets(server, kind, allowing))];
}

function namedTargets(
  { name: server, tools }: KnownServer,
  kind: TargetKind,
  allowing: readonly RuleDocument[],
): readonly ReachTarget[] {
  const named = allowing
    .flatMap((document) => document[kind] ?? [])
    .filter((target) => matcher([serverPattern(target)])(server))
    .map(namePattern);
  return [...new Set(named)]
    .filter((text) => kind !== "tools" || !tools.has(text))
    .toSorted()
    .map((text) => ({
      kind,
      server,
      name: { kind: text.includes("*") ? "pattern" : "exact", text },
      isPinned: false,
      ...(kind !== "tools" && { onlyReads: true }),
    }));
}

/** Whether patterns name all that the target stands for, some of it or nothing. */
export function naming(targets: readonly string[], target: ReachTarget): "all" | "some" | "none" {
  const { server, name } = target;
  if (name.kind === "exact") return targetMatcher(targets)(server, name.text) ? "all" : "none";
  const own = targets.filter((each) => matcher([serverPattern(each)])(server));
  if (own.some((each) => isWithin(`${server}/${name.text}`, `${server}/${namePattern(each)}`))) return "all";
  return own.some((each) => overlaps(namePattern(each), name.text)) ? "some" : "none";
}
