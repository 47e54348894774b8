/** What can be asked for at all: the tools that are known by name, and whatever else the rules that allow name. */
import { matcher, namePattern, serverPattern, targetMatcher } from "../patterns.ts";
import { overlaps } from "../check/overlap.ts";
import { type RuleDocument, type TargetKind, targetKindNames } from "../rules.ts";

/** One thing that can be asked for, or all of a kind whose names are like a pattern, beside those that stand alone. */
export interface ReachTarget {
  readonly kind: TargetKind;
  readonly server: string;
  readonly name:
    | { readonly kind: "exact"; readonly text: string }
    | { readonly kind: "pattern"; readonly text: string; readonly besides: readonly string[] };
  /** Its description is pinned. */
  readonly isPinned: boolean;
  /** Undefined where nobody said. */
  readonly onlyReads?: boolean;
}

export interface KnownServer {
  readonly name: string;
  /** The pinned tools by name, and whether each is said to only read. */
  readonly tools: ReadonlyMap<string, { readonly onlyReads: boolean }>;
  /** Patterns of tools that are said to only read, whether they are pinned or not. */
  readonly readOnly: readonly string[];
}

/** Those of one server: the known tools, whatever else the rules about a caller name, and what those that allow name by patterns. */
export function targetsOf(
  server: KnownServer,
  rules: readonly Pick<RuleDocument, "effect" | TargetKind>[],
): readonly ReachTarget[] {
  return targetKindNames.flatMap((kind) => targetsOfKind(server, kind, rules));
}

function targetsOfKind(
  server: KnownServer,
  kind: TargetKind,
  rules: readonly Pick<RuleDocument, "effect" | TargetKind>[],
): readonly ReachTarget[] {
  const pinned = kind === "tools" ? [...server.tools.keys()] : [];
  const named = rules.flatMap((rule) =>
    namesOn(server.name, rule[kind]).map((text) => ({ text, isAllowed: rule.effect === "allow" })),
  );
  const exact = named.filter(({ text }) => !text.includes("*")).map(({ text }) => text);
  const patterns = named.filter(({ text, isAllowed }) => isAllowed && text.includes("*"));
  const names = [...pinned, ...exact];
  return [
    ...distinct(pinned).map((text) => ({ kind: "exact", text }) as const),
    ...distinct(exact.filter((text) => !pinned.includes(text))).map(
      (text) => ({ kind: "exact", text }) as const,
    ),
    ...distinct(patterns.map(({ text }) => text)).map((text) => {
      const besides = distinct(names.filter(matcher([text])));
      return { kind: "pattern", text, besides } as const;
    }),
  ].map((name) => targetNamed(name, server, kind));
}

function targetNamed(name: ReachTarget["name"], server: KnownServer, kind: TargetKind): ReachTarget {
  const known = kind === "tools" && name.kind === "exact" ? server.tools.get(name.text) : undefined;
  const isSaid =
    kind !== "tools" ||
    known?.onlyReads === true ||
    server.readOnly.some((pattern) => matcher([pattern])(name.text));
  const onlyReads = isSaid ? true : known?.onlyReads;
  return {
    kind,
    server: server.name,
    name,
    isPinned: known !== undefined,
    ...(onlyReads !== undefined && { onlyReads }),
  };
}

function namesOn(server: string, targets: readonly string[] = []): readonly string[] {
  return targets.filter((target) => matcher([serverPattern(target)])(server)).map(namePattern);
}

function distinct(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)].toSorted();
}

/** Whether patterns name all that the target stands for, some of it or nothing. */
export function naming(targets: readonly string[], target: ReachTarget): "all" | "some" | "none" {
  const { server, name } = target;
  if (name.kind === "exact") return targetMatcher(targets)(server, name.text) ? "all" : "none";
  // INVARIANT: what any of the rules names without a star isn't what a pattern stands for.
  const own = namesOn(server, targets).filter((pattern) => pattern.includes("*"));
  if (own.some((pattern) => matcher([pattern])(name.text))) return "all";
  return own.some((pattern) => overlaps(pattern, name.text)) ? "some" : "none";
}
