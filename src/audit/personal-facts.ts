/**
 * Which parts of an entry are about people, and how they stand in the log: names as pseudonyms, details sealed under the
 * key of whoever acted, both worth nothing once that key is destroyed. And back again, where the keys are at hand.
 */
import { isPseudonym, openDetail, pseudonymPattern, sealDetail } from "../crypto/subject-keys.ts";
import type { EntryDraft } from "../model/entry.ts";

/** Somebody the log is about, with a key of its own. */
export interface Subject {
  readonly id: string;
  readonly pseudonym: string;
  readonly key: Uint8Array;
}

/** @property names holds whom: `name` one, `names` a JSON array of them, `text` any in the midst of words, `detail` something of whoever acted */
interface PersonalFact {
  readonly fact: string;
  readonly holds: "name" | "names" | "text" | "detail";
  /** Where the fact has this meaning; in all entries if absent. */
  readonly only?: EntryDraft["event"];
}

/** All of them. A fact that names a caller or a user and isn't here would stand in the clear. */
const personalFacts = [
  { fact: "chain", holds: "names" },
  { fact: "rule.party", holds: "name" },
  { fact: "to", holds: "name", only: "identity.delegate" },
  { fact: "peer", holds: "name" },
  { fact: "caller", holds: "name" },
  { fact: "user", holds: "name" },
  { fact: "signer", holds: "name" },
  { fact: "answer_signed", holds: "name" },
  { fact: "reason", holds: "text" },
  { fact: "says", holds: "text" },
  { fact: "title", holds: "text" },
  { fact: "because", holds: "text" },
  { fact: "remote", holds: "detail" },
  { fact: "session", holds: "detail" },
  { fact: "features", holds: "detail" },
  { fact: "serial", holds: "detail" },
  { fact: "renewed_from", holds: "detail" },
  { fact: "subject", holds: "detail" },
] as const satisfies readonly PersonalFact[];

/** What an entry says of people. */
type Personal = Pick<EntryDraft, "principal" | "facts">;

export interface Subjects {
  /** Whose names stay as they are: the gateway's, its servers'. */
  readonly trustDomain: string;
  /** Made if it isn't there. @throws what keeps it from being made */
  readonly of: (id: string) => Subject;
  /** The one that is there, or one whose key nobody keeps: for names that nobody has proven. */
  readonly knownOr: (id: string) => Subject;
}

/** The entry as it may stand in the log. @throws what `subjects` throws */
export function veiled(draft: EntryDraft, subjects: Subjects): EntryDraft {
  const { principal, facts } = draft;
  const actor =
    isPseudonym(principal) || !isPersonal(principal, subjects.trustDomain)
      ? undefined
      : subjects.of(firstOf(principal));
  const name = isPseudonym(principal) ? principal : veiledName(principal, subjects);
  const changed: Record<string, string> = {};
  for (const row of personalFacts) {
    const value = facts[row.fact];
    if (value === undefined || !isAbout(row, draft)) continue;
    changed[row.fact] = veiledFact(row, value, { draft, actor, subjects });
  }
  return { ...draft, principal: name, facts: { ...facts, ...changed } };
}

/** Whom the draft names where nothing but a name stands. */
function namedBy(draft: EntryDraft): readonly string[] {
  const named = personalFacts.flatMap((row) => {
    const value = draft.facts[row.fact];
    if (value === undefined || !isAbout(row, draft)) return [];
    if (row.holds === "names") return namesIn(value);
    return row.holds === "name" ? [value] : [];
  });
  return [draft.principal, ...named].flatMap((name) => name.split(joint)).filter((name) => isId.test(name));
}

interface Veiling {
  readonly draft: EntryDraft;
  readonly actor: Subject | undefined;
  readonly subjects: Subjects;
}

function veiledFact(row: PersonalFact, value: string, veiling: Veiling): string {
  const { draft, actor, subjects } = veiling;
  const { fact, holds } = row;
  if (holds === "names") return JSON.stringify(namesIn(value).map((name) => veiledName(name, subjects)));
  if (holds === "text") return veiledText(value, draft, subjects);
  if (holds === "detail") return actor === undefined ? value : sealDetail(actor.key, fact, value);
  // What was only asked for is nobody's name yet, however it looks.
  const isAsked = fact === "to" && draft.outcome !== "allowed";
  return isAsked ? subjects.knownOr(value).pseudonym : veiledName(value, subjects);
}

/** Several of them as ` for ` and `, ` join them: a client, and whom it acts for. */
function veiledName(name: string, subjects: Subjects): string {
  return veiledNames(name, (id) => (isPersonal(id, subjects.trustDomain) ? subjects.of(id).pseudonym : id));
}

/** @param pseudonymOf of one of them, or the id itself */
export function veiledNames(name: string, pseudonymOf: (id: string) => string): string {
  return name
    .split(joint)
    .map((part) => (part === " for " || part === ", " ? part : pseudonymOf(part)))
    .join("");
}

function veiledText(text: string, draft: EntryDraft, subjects: Subjects): string {
  if (!text.includes(":")) return text;
  return text.replaceAll(nameInText(namedBy(draft)), (name) =>
    isPersonal(name, subjects.trustDomain) ? subjects.knownOr(name).pseudonym : name,
  );
}

const isId = /^(?:spiffe:\/\/|oauth:)/;
/** INVARIANT: no id has this in itself; those that issuers make up are refused (`host/oauth/token-claims.ts`). */
const joint = /( for |, )(?=spiffe:\/\/|oauth:)/;
const onward = /[^\s"',;()]*[A-Za-z0-9_-]/;

/**
 * Names of OAuth's may have blanks and signs in them, after which words can't be told from the rest of a name: those that
 * are known are looked for as they are, longest first, and what goes on behind one is a part of another name.
 */
function nameInText(known: readonly string[]): RegExp {
  const longestFirst = known.toSorted((a, b) => b.length - a.length).map((id) => RegExp.escape(id));
  const any = `${isId.source.slice(1)}${onward.source}`;
  const exact = longestFirst.map((id) => `${id}(?:${onward.source})?`);
  return new RegExp([...exact, any].join("|"), "g");
}

function firstOf(principal: string): string {
  return principal.split(joint)[0] ?? principal;
}

/** Callers and users; not the gateway, nor what it calls. */
export function isPersonal(name: string, trustDomain: string): boolean {
  if (name.startsWith("oauth:")) return true;
  const own = `spiffe://${trustDomain}/`;
  return name.startsWith("spiffe://") && name !== `${own}gateway` && !name.startsWith(`${own}server/`);
}

/** Finds the subject of a pseudonym; undefined for one whose key isn't there (any more). */
export type SubjectFinder = (pseudonym: string) => Subject | undefined;

/** The same with names, as far as they can be found; older entries have them already. */
export function unveiled<Of extends Personal>(entry: Of, find: SubjectFinder): Of {
  const [pseudonym] = entry.principal.match(pseudonymPattern) ?? [];
  const actor = pseudonym === undefined ? undefined : find(pseudonym);
  const named = (text: string): string =>
    text.replaceAll(pseudonymPattern, (found) => find(found)?.id ?? found);
  const changed: Record<string, string> = {};
  for (const row of personalFacts) {
    const value = entry.facts[row.fact];
    if (value === undefined) continue;
    changed[row.fact] = unveiledFact(row, value, { named, actor });
  }
  return { ...entry, principal: named(entry.principal), facts: { ...entry.facts, ...changed } };
}

function unveiledFact(
  row: PersonalFact,
  value: string,
  { named, actor }: { readonly named: (text: string) => string; readonly actor: Subject | undefined },
): string {
  if (row.holds === "names") return JSON.stringify(namesIn(value).map(named));
  if (row.holds !== "detail") return named(value);
  return (actor && openDetail(actor.key, row.fact, value)) ?? value;
}

/** Text that is no such array stays one name. */
function namesIn(text: string): readonly string[] {
  try {
    const names: unknown = JSON.parse(text);
    if (Array.isArray(names) && names.every((name) => typeof name === "string")) return names;
  } catch {
    // As below.
  }
  return [text];
}

function isAbout(row: PersonalFact, { event }: EntryDraft): boolean {
  return row.only === undefined || row.only === event;
}
