/** One look at a log: asked for, judged, kept, and only then cosigned. */
import { readCheckpointBody, readNote } from "../audit/checkpoint.ts";
import { cosignatureBytes, witnessName } from "../audit/cosignature.ts";
import { walkGenerations } from "../audit/generations.ts";
import { type Head, readHead } from "../audit/head.ts";
import type { Incident } from "../audit/incident.ts";
import { maxTlogProofBytes } from "../audit/tlog-proof.ts";
import { judgeShown, keysToPin, needsCrossings, type WitnessVerdict } from "../audit/witness.ts";
import type { ShownHead } from "../audit/witness-answer.ts";
import { fingerprint } from "../crypto/keys.ts";
import { formatLogKey, type LogKey, maxGenerations } from "../crypto/log-key.ts";
import { type NoteSigner, noteSigner } from "../crypto/note-keys.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import type { OpenIncident, WitnessFolder } from "../host/store/witness-folder.ts";
import type { Clock } from "../kernel/clock.ts";
import { printable } from "../kernel/printable.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { IncidentReport, LogSource } from "./witness-source.ts";

export type RoundOutcome =
  | {
      readonly kind: "consistent";
      readonly head: Head;
      readonly isNewer: boolean;
      readonly cosigned: Cosigned;
    }
  | { readonly kind: "incident"; readonly incident: OpenIncident; readonly isNew: boolean }
  | { readonly kind: "unreadable"; readonly says: string };

/** Whether a cosignature was made, and why it wasn't taken. */
export type Cosigned =
  | { readonly kind: "taken" }
  | { readonly kind: "not-due" }
  | { readonly kind: "refused"; readonly why: string };

export interface RoundOptions {
  readonly store: WitnessFolder;
  readonly source: LogSource;
  /** Absent where nothing is cosigned. */
  readonly signer?: NoteSigner;
  readonly clock: Clock;
}

/** A head that doesn't grow is cosigned again after that, to say that it is still the newest. */
const cosignAgainMs = 3_600_000;
const maxSaysLength = 600;

/** The key a sidecar cosigns with. */
export async function witnessSigner(keys: KeyFolder, trustDomain: string): Promise<NoteSigner> {
  const key = await keys.signing("witness", "ML-DSA-44");
  return noteSigner("ml-dsa-44", witnessName(trustDomain, fingerprint(key.publicKey)), key);
}

/** @throws Refusal if the log can't be asked, or what is kept can't be read */
export function witnessRound(options: RoundOptions): Promise<RoundOutcome> {
  return options.store.alone(() => look(options));
}

async function look(options: RoundOptions): Promise<RoundOutcome> {
  const { store, source, clock } = options;
  const open = await store.open();
  // A person looks at it first. A log that only stood still may go on by itself.
  if (open !== undefined && open.what !== "frozen") return { kind: "incident", incident: open, isNew: false };
  await store.asked(clock.nowUnixMs());
  const pinned = await store.keys();
  const checkpoint = await store.checkpoint();
  const keys = pinned ?? (await source.keys());
  const shown = await source.shown(sizeOf(checkpoint));
  const crossings = needsCrossings(keys, shown.checkpoint) ? await crossingsAfter(keys, source) : new Map();
  const verdict = judgeShown({ keys, checkpoint }, { ...shown, crossings });
  if (verdict.kind === "unreadable") return verdict;
  if (verdict.kind === "incident") {
    // Before anything was pinned there is nothing it could contradict.
    if (pinned === undefined) return { kind: "unreadable", says: verdict.says };
    return await convicted(verdict, shown, options);
  }
  if (!verdict.isNewer && open !== undefined) return { kind: "incident", incident: open, isNew: false };
  if (verdict.isNewer) {
    await keep(store, keysToPin(verdict.keys, verdict.head), shown.checkpoint);
    await store.close();
  }
  return { ...verdict, cosigned: await cosigned(verdict.head, options) };
}

/** INVARIANT: on disk before it is cosigned, so that a witness never vouches for what it may have forgotten. */
async function keep(store: WitnessFolder, keys: LogKey, checkpoint: Uint8Array): Promise<void> {
  const before = await store.keys();
  if (before === undefined || formatLogKey(before) !== formatLogKey(keys)) await store.pin(keys);
  await store.take(checkpoint);
}

/** What was seen counts whether or not the log takes a cosignature of it. */
async function cosigned(head: Head, { store, source, signer, clock }: RoundOptions): Promise<Cosigned> {
  if (source.cosign === undefined || signer === undefined) return { kind: "not-due" };
  const nowUnixMs = clock.nowUnixMs();
  const last = await store.cosigned();
  if (last?.text === head.text && nowUnixMs - last.atUnixMs < cosignAgainMs) return { kind: "not-due" };
  try {
    await source.cosign(await cosignatureBytes(head, signer, Math.floor(nowUnixMs / 1000)));
  } catch (error) {
    return { kind: "refused", why: error instanceof Error ? error.message : "unknown" };
  }
  await store.noteCosigned(head.text, nowUnixMs);
  return { kind: "taken" };
}

async function convicted(
  { what, says, keys }: Extract<WitnessVerdict, { readonly kind: "incident" }>,
  shown: ShownHead,
  { store, clock }: RoundOptions,
): Promise<RoundOutcome> {
  const kept = (await store.checkpoint()) ?? new Uint8Array();
  const incident: Incident = {
    what,
    atUnixMs: clock.nowUnixMs(),
    says: printable(says, maxSaysLength),
    kept,
    shown: shown.checkpoint,
    proof: shown.proof,
    keys: formatLogKey(keys),
    keptSignedBy: signedBy(kept, keys),
    shownSignedBy: signedBy(shown.checkpoint, keys),
  };
  const file = await store.report(incident);
  return { kind: "incident", incident: { ...incident, file }, isNew: true };
}

/** The log key file of the newest generation that signed a head; empty if none did. */
function signedBy(checkpoint: Uint8Array, keys: LogKey): string {
  const reading = readHead(checkpoint, keys);
  const by = reading.kind === "signed" ? reading.head.generations.at(-1) : undefined;
  return formatLogKey(keys.filter(({ number }) => number === by));
}

/** Of all crossings of one answer: 1,023 honest ones have half of it. */
const maxCrossingsBytes = 64 * 1024 * 1024;

/**
 * From the newest pinned generation to the last there is; or to the first that doesn't hold, which is judged with them.
 * @throws Refusal `bad_log` if they are longer than any log's
 */
export async function crossingsAfter(
  keys: LogKey,
  source: Pick<LogSource, "crossing">,
): Promise<ReadonlyMap<number, Uint8Array>> {
  const found = new Map<number, Uint8Array>();
  let newest = keys.at(-1);
  let total = 0;
  while (newest !== undefined && newest.number < maxGenerations) {
    const number = newest.number + 1;
    const bytes = await source.crossing(number);
    if (bytes === undefined) break;
    total += bytes.length;
    if (bytes.length > maxTlogProofBytes || total > maxCrossingsBytes) {
      throw new Refusal("bad_log", `The log's crossing to generation ${number} is longer than any log's.`);
    }
    found.set(number, bytes);
    newest = walkGenerations(new Map([[number, bytes]]), [newest]).known.find(
      (each) => each.number === number,
    );
  }
  return found;
}

export function reportOf({ what, says, kept, shown }: Incident): IncidentReport {
  return { kind: what, says: printable(says, 300), kept: sizeOf(kept), shown: sizeOf(shown) };
}

/** What a head says of its size; 0 without one. */
function sizeOf(checkpoint: Uint8Array | undefined): number {
  const note = checkpoint === undefined ? undefined : readNote(checkpoint);
  return (note === undefined ? undefined : readCheckpointBody(note.text))?.size ?? 0;
}
