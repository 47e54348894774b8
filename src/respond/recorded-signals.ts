/** All that an entry of the log says to playbooks, for those that are tried on what was recorded. */
import type { EntryDraft } from "../model/entry.ts";
import type { Signal } from "./signal.ts";
import { aboutCall, signalsOf } from "./signals-of-entry.ts";
import { verdictSignals } from "./verdict-signals.ts";

export function recordedSignals(entry: EntryDraft): readonly Signal[] {
  return [...callSignal(entry), ...signalsOf(entry), ...verdictSignals(entry)];
}

/** That there was a call that named something. */
function callSignal(entry: EntryDraft): readonly Signal[] {
  const { event, facts, tool, callId, atUnixMs } = entry;
  const isCall = event === "call.decision" && (tool !== null || facts["resource"] !== undefined);
  return isCall
    ? [{ ...aboutCall(entry), kind: "call", score: 0, isHard: false, says: "", callId, atUnixMs }]
    : [];
}
