/** Entries that say a text somewhere: who, what, which rule, any fact; as people see them, in any case of letters. */
import type { Entry } from "../audit/entry.ts";
import type { LogNames } from "./subject-names.ts";

export interface TextSearch {
  /** Cheap. INVARIANT: false only where the entry in these bytes doesn't say it. */
  readonly mayFit: (bytes: Uint8Array) => boolean;
  readonly fits: (entry: Entry) => boolean;
}

/** More names than these aren't looked for one by one: each entry is read then. */
const maxPseudonyms = 100;

export function textSearch(text: string, { named, pseudonymsWith }: LogNames): TextSearch {
  const wanted = text.toLowerCase();
  const pseudonyms = pseudonymsWith(wanted, maxPseudonyms);
  // As it stands within a JSON text.
  const parts = pseudonyms && [JSON.stringify(wanted).slice(1, -1), ...pseudonyms];
  return {
    mayFit: (bytes) => {
      if (parts === undefined) return true;
      const said = Buffer.from(bytes).toString("utf8").toLowerCase();
      return parts.some((part) => said.includes(part));
    },
    fits: (entry) => {
      const { event, callId, principal, tool, outcome, facts } = named(entry);
      return [event, callId, principal, tool ?? "", outcome, ...Object.entries(facts).flat()].some((said) =>
        said.toLowerCase().includes(wanted),
      );
    },
  };
}
