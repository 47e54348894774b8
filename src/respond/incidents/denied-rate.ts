/** Who is denied again and again tries out what it may: one denial says little, many are a signal of their own. */
import type { EntryDraft } from "../../model/entry.ts";
import { signalKind } from "../signal-kinds.ts";
import type { Signal } from "../signal.ts";
import { signalsOf } from "../signals-of-entry.ts";
import { recently } from "./recently.ts";

const deniedWindowMs = 600_000;
/** So many within the window; a client that tries each call again twice isn't told for half a dozen. */
const deniedMany = 20;
const maxCallers = 2000;

export interface DeniedRate {
  /** At most one signal a caller and window. */
  readonly see: (entry: EntryDraft, nowUnixMs: number) => readonly Signal[];
}

export function deniedRate(): DeniedRate {
  const counted = recently<string, { readonly sinceUnixMs: number; readonly times: number }>(maxCallers);
  return {
    see: (entry, nowUnixMs) => {
      if (entry.event !== "call.decision" || entry.outcome !== "denied") return [];
      const denied = signalsOf(entry).find(({ kind }) => kind === "denied");
      if (denied === undefined) return [];
      const who = denied.about.caller ?? `anonymous ${denied.about.server ?? ""}`;
      const before = counted.get(who);
      const isOver = before === undefined || nowUnixMs - before.sinceUnixMs >= deniedWindowMs;
      const next = isOver ? { sinceUnixMs: nowUnixMs, times: 1 } : { ...before, times: before.times + 1 };
      counted.set(who, next);
      if (next.times !== deniedMany) return [];
      const { score, isHard } = signalKind("rate");
      return [
        { ...denied, kind: "rate", score, isHard, says: `Denied ${deniedMany} times within ten minutes.` },
      ];
    },
  };
}
