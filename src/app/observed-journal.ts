/** The audit log, watched: each entry is shown to those who look, once it is written. */
import type { Journal } from "../gate/ports.ts";
import type { EntryDraft } from "../model/entry.ts";

/** Told of an entry that was written, and of its index where that is known already. */
export type OnWritten = (entry: EntryDraft, index?: number) => void;

export function observed(journal: Journal, written: Iterable<OnWritten>): Journal {
  const show: OnWritten = (draft, index) => {
    for (const see of written) see(draft, index);
  };
  return {
    append: async (draft) => {
      const receipt = await journal.append(draft);
      show(draft, receipt.index);
      return receipt;
    },
    owe: (draft) => {
      journal.owe(draft);
      show(draft);
    },
  };
}
