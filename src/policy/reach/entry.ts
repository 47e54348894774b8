/** Whether the caller gets in at all: what rules about connections and links leave it, whatever it asks for then. */
import type { LinkPosture } from "../../model/channel.ts";
import type { LinkHook } from "../facts.ts";
import { linkMatcher } from "../link-conditions.ts";
import { matcher } from "../patterns.ts";
import type { LinkRuleDocument } from "../rule-schema.ts";
import type { Clause } from "./counting.ts";
import { type AboutCall, knownFacts } from "./known-facts.ts";
import { linksInWords } from "./links-in-words.ts";
import { partialCondition, type PartialCondition } from "./partial-condition.ts";

export interface Entry {
  /** Those on which it isn't surely denied. */
  readonly links: readonly LinkPosture[];
  /** What has to be true besides; of some of the links, where it says so. */
  readonly conditions: readonly (Clause & { readonly link?: string })[];
  /** Rules that surely keep it out of links it could have otherwise. */
  readonly shutBy: readonly string[];
}

interface EntryRule {
  readonly name: string;
  readonly hook: LinkHook;
  readonly isAbout: (link: LinkPosture) => boolean;
  readonly when?: PartialCondition;
}

export function entryOf(
  documents: readonly LinkRuleDocument[],
  about: Omit<AboutCall, "link" | "target">,
  links: readonly LinkPosture[],
): Entry {
  const found = documents
    .filter(({ mode }) => mode !== "shadow")
    .map((document) => denialOf(entryRule(document, about.caller.id), about, links));
  const shut = new Set(found.flatMap((each) => each.sure));
  return {
    links: links.filter((link) => !shut.has(link)),
    conditions: found.flatMap(({ clauses }) => clauses),
    shutBy: found.filter(({ sure }) => sure.length > 0).map(({ name }) => name),
  };
}

function entryRule(document: LinkRuleDocument, caller: string): EntryRule {
  const { name, on: hook, when } = document;
  const condition = when !== undefined && { when: partialCondition(when, hook) };
  if (document.on === "connection") return { name, hook, isAbout: () => true, ...condition };
  const isCaller = matcher(document.callers)(caller);
  const matches = document.link === undefined ? () => true : linkMatcher(document.link);
  return { name, hook, isAbout: (link) => isCaller && matches(link), ...condition };
}

interface Denial {
  readonly name: string;
  readonly sure: readonly LinkPosture[];
  readonly clauses: Entry["conditions"];
}

/** INVARIANT: what errs denies, as it does when a link comes up. */
function denialOf(
  { name, hook, isAbout, when }: EntryRule,
  about: Omit<AboutCall, "link" | "target">,
  links: readonly LinkPosture[],
): Denial {
  const sure: LinkPosture[] = [];
  const open = new Map<string, LinkPosture[]>();
  for (const link of links.filter(isAbout)) {
    const { facts, paths } = knownFacts({ ...about, link });
    const known =
      hook === "link" ? paths : new Set([...paths].filter((path) => !/^(?:caller|link)\./.test(path)));
    const left = when?.({ facts, paths: known });
    if (left === undefined || !left.can.false) sure.push(link);
    else if (left.can.true || left.can.error)
      open.set(left.negated, [...(open.get(left.negated) ?? []), link]);
  }
  const clauses = [...open].map(([says, on]) => {
    const link = linksInWords(on, links);
    return { rules: [name], says, isCel: true, isOwnChoice: false, ...(link !== undefined && { link }) };
  });
  return { name, sure, clauses };
}
