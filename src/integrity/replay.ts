/**
 * What one end has seen already: each signed message counts once, until it has expired. Bounded, and it never forgets
 * what could still be shown again: when it is full, it says so.
 */
import { maxLifetimeS } from "./claims.ts";
import { clockLeewayMs } from "./message-signature.ts";
import type { MessageProof, PromisedProof } from "../model/message-proof.ts";

/** `stale`: nobody knows any more whether it was seen. `full`: nothing more can be remembered now. */
type Reservation = "reserved" | "replayed" | "stale" | "full";

export interface ReplayWindow {
  /** INVARIANT: looks and remembers in one go, so that of two equal messages one passes, whatever happens meanwhile. */
  readonly reserve: (message: MessageProof, nowUnixMs: number) => Reservation;
  /** A message that was reserved wasn't carried out: signed better, with the same nonce and end, it may come again. */
  readonly release: (message: MessageProof) => void;
  /** Messages signed before that are stale. */
  readonly notBeforeUnixMs: number;
}

/** At 80 bytes each. One signer alone can't have them all. */
const maxNonces = 1_048_576;
const maxNoncesPerSigner = (maxNonces / 4) * 3;
/** At 8 KiB each. */
const maxBatches = 4096;
const maxBatchesPerSigner = maxBatches / 16;

/** Nonces that expire within such a span are forgotten together. */
const binMs = 16_000;

/** @param startedUnixMs since when it remembers */
export function replayWindow(startedUnixMs: number): ReplayWindow {
  const nonces = seenNonces();
  const batches = seenBatches();
  // Times of signing are whole seconds: what was signed within the second it began in may be from before.
  const notBeforeUnixMs = (Math.floor(startedUnixMs / 1000) + 1) * 1000;
  let forgottenUnixMs = 0;
  const forget = (nowUnixMs: number): void => {
    const untilUnixMs = Math.floor(nowUnixMs / binMs) * binMs;
    if (untilUnixMs <= forgottenUnixMs) return;
    forgottenUnixMs = untilUnixMs;
    nonces.forget(untilUnixMs);
    batches.forget(untilUnixMs);
  };
  return {
    notBeforeUnixMs,
    reserve: (message, nowUnixMs) => {
      forget(nowUnixMs);
      const goneUnixMs = message.expiresAtUnixMs + clockLeewayMs;
      // A clock that was set back would else bring back what was forgotten.
      if (message.signedAtUnixMs < notBeforeUnixMs || goneUnixMs <= forgottenUnixMs) return "stale";
      return message.mode === "direct"
        ? nonces.reserve(message, goneUnixMs)
        : batches.reserve(message, goneUnixMs);
    },
    release: (message) => {
      if (message.mode === "direct") nonces.release(message, message.expiresAtUnixMs + clockLeewayMs);
      else batches.release(message);
    },
  };
}

function seenNonces() {
  /** By the time at which all in one bin are expired, then by signer. The same message always has the same bin. */
  const bins = new Map<number, Map<string, Set<string>>>();
  const perSigner = new Map<string, number>();
  let count = 0;
  return {
    forget: (untilUnixMs: number): void => {
      for (const [goneUnixMs, signers] of bins) {
        if (goneUnixMs > untilUnixMs) continue;
        bins.delete(goneUnixMs);
        for (const [signer, { size }] of signers) {
          count -= size;
          const left = (perSigner.get(signer) ?? size) - size;
          if (left === 0) perSigner.delete(signer);
          else perSigner.set(signer, left);
        }
      }
    },
    release: ({ signer, nonce }: MessageProof, goneUnixMs: number): void => {
      if (bins.get(binOf(goneUnixMs))?.get(signer)?.delete(nonce) !== true) return;
      perSigner.set(signer, (perSigner.get(signer) ?? 1) - 1);
      count--;
    },
    reserve: ({ signer, nonce }: MessageProof, goneUnixMs: number): Reservation => {
      const bin = binOf(goneUnixMs);
      const signers = bins.get(bin) ?? new Map<string, Set<string>>();
      const seen = signers.get(signer) ?? new Set<string>();
      if (seen.has(nonce)) return "replayed";
      const own = perSigner.get(signer) ?? 0;
      if (count >= maxNonces || own >= maxNoncesPerSigner) return "full";
      seen.add(nonce);
      bins.set(bin, signers.set(signer, seen));
      perSigner.set(signer, own + 1);
      count++;
      return "reserved";
    },
  };
}

function binOf(goneUnixMs: number): number {
  return Math.ceil(goneUnixMs / binMs) * binMs;
}

interface SeenBatch {
  readonly numbers: SlidingSet;
  goneUnixMs: number;
}

function seenBatches() {
  const signers = new Map<string, Map<string, SeenBatch>>();
  let count = 0;
  return {
    release: ({ signer, batch, seq }: PromisedProof): void =>
      signers.get(signer)?.get(batch)?.numbers.remove(seq),
    forget: (untilUnixMs: number): void => {
      for (const [signer, batches] of signers) {
        for (const [id, { goneUnixMs }] of batches) {
          if (goneUnixMs <= untilUnixMs && batches.delete(id)) count--;
        }
        if (batches.size === 0) signers.delete(signer);
      }
    },
    reserve: (
      { signer, batch, seq }: { readonly signer: string; readonly batch: string; readonly seq: number },
      goneUnixMs: number,
    ): Reservation => {
      const batches = signers.get(signer) ?? new Map<string, SeenBatch>();
      let seen = batches.get(batch);
      if (seen === undefined) {
        if (count >= maxBatches || batches.size >= maxBatchesPerSigner) return "full";
        seen = { numbers: slidingSet(), goneUnixMs };
        signers.set(signer, batches.set(batch, seen));
        count++;
      }
      seen.goneUnixMs = Math.max(seen.goneUnixMs, goneUnixMs);
      return seen.numbers.add(seq) ? "reserved" : "replayed";
    },
  };
}

/** Numbers of a sequence, the last 65,536; older ones count as seen. */
interface SlidingSet {
  /** False if it was there. */
  readonly add: (number: number) => boolean;
  /** As if it had never been there; of older ones nobody knows. */
  readonly remove: (number: number) => void;
}

const width = 65_536;

function slidingSet(): SlidingSet {
  const words = new Uint32Array(width / 32);
  let highest = -1;
  const clear = (number: number): void => {
    const word = (number % width) >>> 5;
    words[word] = (words[word] ?? 0) & ~(1 << (number & 31));
  };
  return {
    remove: (number) => {
      if (number > highest - width && number <= highest) clear(number);
    },
    add: (number) => {
      if (number <= highest - width) return false;
      if (number > highest) {
        if (number - highest >= width) words.fill(0);
        else for (let skipped = highest + 1; skipped <= number; skipped++) clear(skipped);
        highest = number;
      }
      const word = (number % width) >>> 5;
      const bit = 1 << (number & 31);
      if (((words[word] ?? 0) & bit) !== 0) return false;
      words[word] = (words[word] ?? 0) | bit;
      return true;
    },
  };
}

/** How long anything that was seen can matter. */
export const longestMemoryMs = maxLifetimeS * 1000 + 2 * clockLeewayMs;
