/**
 * The receiving side of batches: which promises came, which a statement covers, and which wait for one too long.
 * INVARIANT: a promise is kept by a statement that says its very leaf, and by nothing else.
 */
import type { PromisedProof } from "../model/message-proof.ts";
import { leafOf, type LeafRange } from "./batch.ts";
import { longestMemoryMs } from "./replay.ts";

export interface BatchRegister {
  /**
   * A promise came. `wrong_batch`: another one has this number, or a statement has said another leaf for it.
   * `full`: too many wait.
   */
  readonly note: (promise: PromisedProof, nowUnixMs: number) => "noted" | "wrong_batch" | "full";
  /** A statement of the signer's that holds. @returns the promises it contradicts, if there are any */
  readonly cover: (signer: string, range: LeafRange, nowUnixMs: number) => readonly PromisedProof[];
  /** Promises that have waited longer than a second, some of each batch; of that signer, or of everybody. */
  readonly overdue: (nowUnixMs: number, signer?: string) => readonly PromisedProof[];
  /** When the next one will be overdue, or when it came to be; undefined if none waits. */
  readonly nextOverdueUnixMs: () => number | undefined;
  /** It was refused: nobody waits for its signature any more. */
  readonly drop: (promise: PromisedProof) => void;
  /** Those of the signer's that are overdue are taken for lost. @returns how many that were */
  readonly giveUp: (signer: string, nowUnixMs: number) => number;
}

export function batchRegister(): BatchRegister {
  const register: Register = { signers: new Map(), waiting: 0 };
  return {
    note: (promise, nowUnixMs) => note(register, promise, nowUnixMs),
    cover: (name, range, nowUnixMs) => {
      tidy(register, nowUnixMs);
      return cover(register, name, range, nowUnixMs);
    },
    overdue: (nowUnixMs, name) =>
      overdueBatches(register, nowUnixMs, name).flatMap((batch) =>
        overdueIn(batch, nowUnixMs, maxReportedPerBatch).map(({ promise }) => promise),
      ),
    nextOverdueUnixMs: () => nextOverdueUnixMs(register),
    drop: (promise) => {
      const batch = register.signers.get(promise.signer)?.batches.get(promise.batch);
      if (batch?.waiting.get(promise.seq)?.promise.payload === promise.payload)
        settle(register, batch, promise);
    },
    giveUp: (name, nowUnixMs) => {
      const lost = overdueBatches(register, nowUnixMs, name).flatMap((batch) =>
        overdueIn(batch, nowUnixMs, Infinity).map(({ promise }) => ({ batch, promise })),
      );
      for (const { batch, promise } of lost) settle(register, batch, promise);
      return lost.length;
    },
  };
}

/** A message that no statement covers for this long isn't attested. */
export const attestWithinMs = 1000;

const maxWaiting = 65_536;
const maxWaitingPerSigner = maxWaiting / 4;
/** Leaves of messages that haven't come: lost on the way, or still to come. */
const maxAheadPerSigner = 4096;
const maxReportedPerBatch = 16;

interface Register {
  readonly signers: Map<string, Signer>;
  waiting: number;
}

interface Signer {
  readonly batches: Map<string, Batch>;
  waiting: number;
  ahead: number;
}

interface Batch {
  /** By number, in the order they came. */
  readonly waiting: Map<number, Waiting>;
  /** By number, in the order they were said. */
  readonly ahead: Map<number, { readonly leaf: string; readonly goneUnixMs: number }>;
}

interface Waiting {
  readonly promise: PromisedProof;
  readonly leaf: string;
  readonly overdueUnixMs: number;
}

function note(
  register: Register,
  promise: PromisedProof,
  nowUnixMs: number,
): "noted" | "wrong_batch" | "full" {
  const signer = signerOf(register, promise.signer);
  const batch = batchOf(signer, promise.batch);
  const leaf = leafOf(promise.payload);
  const said = batch.ahead.get(promise.seq);
  if (said !== undefined) {
    batch.ahead.delete(promise.seq);
    signer.ahead--;
    return said.leaf === leaf ? "noted" : "wrong_batch";
  }
  const before = batch.waiting.get(promise.seq);
  if (before !== undefined) return before.leaf === leaf ? "noted" : "wrong_batch";
  if (register.waiting >= maxWaiting || signer.waiting >= maxWaitingPerSigner) return "full";
  batch.waiting.set(promise.seq, { promise, leaf, overdueUnixMs: nowUnixMs + attestWithinMs });
  signer.waiting++;
  register.waiting++;
  return "noted";
}

function cover(
  register: Register,
  name: string,
  { batch: id, start, leaves }: LeafRange,
  nowUnixMs: number,
): readonly PromisedProof[] {
  const signer = signerOf(register, name);
  const batch = batchOf(signer, id);
  const contradicted: PromisedProof[] = [];
  for (const [i, leaf] of leaves.entries()) {
    const seq = start + i;
    const waiting = batch.waiting.get(seq);
    if (waiting !== undefined) {
      settle(register, batch, waiting.promise);
      if (waiting.leaf !== leaf) contradicted.push(waiting.promise);
    } else if (!batch.ahead.has(seq) && signer.ahead < maxAheadPerSigner) {
      batch.ahead.set(seq, { leaf, goneUnixMs: nowUnixMs + longestMemoryMs });
      signer.ahead++;
    }
  }
  return contradicted;
}

function settle(register: Register, { waiting }: Batch, { signer, seq }: PromisedProof): void {
  waiting.delete(seq);
  signerOf(register, signer).waiting--;
  register.waiting--;
}

/** Forgets leaves whose messages can't come any more, and who has nothing here. */
function tidy({ signers }: Register, nowUnixMs: number): void {
  for (const [name, signer] of signers) {
    for (const [id, { waiting, ahead }] of signer.batches) {
      for (const [seq, { goneUnixMs }] of ahead) {
        if (goneUnixMs > nowUnixMs) break;
        ahead.delete(seq);
        signer.ahead--;
      }
      if (waiting.size + ahead.size === 0) signer.batches.delete(id);
    }
    if (signer.batches.size === 0) signers.delete(name);
  }
}

function signerOf({ signers }: Register, name: string): Signer {
  const known = signers.get(name);
  if (known !== undefined) return known;
  const signer = { batches: new Map<string, Batch>(), waiting: 0, ahead: 0 };
  signers.set(name, signer);
  return signer;
}

function batchOf({ batches }: Signer, id: string): Batch {
  const known = batches.get(id);
  if (known !== undefined) return known;
  const batch: Batch = { waiting: new Map(), ahead: new Map() };
  batches.set(id, batch);
  return batch;
}

/** Those with promises that are overdue, of that signer or of all: each call asks, and most of the time there are none. */
function overdueBatches({ signers }: Register, nowUnixMs: number, name?: string): readonly Batch[] {
  const found: Batch[] = [];
  const asked = name === undefined ? signers.values() : [signers.get(name)];
  for (const signer of asked) {
    for (const batch of signer?.batches.values() ?? [])
      if (firstOverdueUnixMs(batch) <= nowUnixMs) found.push(batch);
  }
  return found;
}

function nextOverdueUnixMs({ signers }: Register): number | undefined {
  let first = Infinity;
  for (const { batches } of signers.values())
    for (const batch of batches.values()) first = Math.min(first, firstOverdueUnixMs(batch));
  return first === Infinity ? undefined : first;
}

function overdueIn({ waiting }: Batch, nowUnixMs: number, most: number): readonly Waiting[] {
  const found: Waiting[] = [];
  for (const one of waiting.values()) {
    if (one.overdueUnixMs > nowUnixMs || found.length === most) break;
    found.push(one);
  }
  return found;
}

function firstOverdueUnixMs({ waiting }: Batch): number {
  return waiting.values().next().value?.overdueUnixMs ?? Infinity;
}
