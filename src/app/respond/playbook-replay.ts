/** Playbooks tried on the recorded entries of the log: what they would have done, and nothing is done. */
import type { LogReader } from "../../host/store/log-reader.ts";
import type { EntryEvent } from "../../model/entry.ts";
import { type Plan, plan, planMemory } from "../../respond/plan.ts";
import type { Playbook } from "../../respond/playbook.ts";
import { recordedSignals } from "../../respond/recorded-signals.ts";
import type { Naming } from "../subject-names.ts";

interface Replay {
  readonly reader: LogReader;
  readonly from: number;
  readonly sinceUnixMs: number;
  readonly untilUnixMs: number;
  readonly named: Naming;
  readonly playbooks: readonly Playbook[];
}

/** Each run they would have had, oldest first. */
export async function* triedOn(
  replay: Replay,
): AsyncGenerator<Plan & { readonly atUnixMs: number }, void, void> {
  const { reader, from, sinceUnixMs, untilUnixMs, named, playbooks } = replay;
  const memory = planMemory();
  for await (const { reading } of reader.forwards(from)) {
    if (reading.kind !== "entry") continue;
    const { atUnixMs } = reading.entry;
    if (atUnixMs < sinceUnixMs || atUnixMs > untilUnixMs) continue;
    // Of an event that nobody knows here there are no signals.
    const event = reading.entry.event as EntryEvent;
    const signals = recordedSignals({ ...reading.entry, ...named(reading.entry), event });
    for (const each of plan(signals, { playbooks, memory, nowUnixMs: atUnixMs })) yield { ...each, atUnixMs };
  }
}
