/** Receipts while their call's answer waits: under a head made for them, which all who wait share. */
import { setTimeout as pause } from "node:timers/promises";

import { proveEntry } from "../../audit/prove-entry.ts";
import type { Receipts } from "../../gate/ports.ts";
import { fromUtf8 } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import { within } from "../within.ts";
import type { FileJournal } from "./journal-files.ts";
import { openLogReader } from "./log-reader.ts";

interface PromptReceiptsOptions {
  readonly folder: string;
  readonly checkpoint: FileJournal["checkpoint"];
  readonly log: Log;
  /** How long an answer is held back for its receipt. */
  readonly patienceMs?: number;
  /** Between two heads that are made for receipts. */
  readonly pauseMs?: number;
}

/** Each holds an answer in memory. */
const maxWaiting = 256;
const defaultPatienceMs = 5000;
/** A head costs three signatures and several files: one caller mustn't have them made back to back. */
const defaultPauseMs = 200;
/** Heads made meanwhile may take the partial tiles away that were being read. */
const attempts = 3;

export function promptReceipts(options: PromptReceiptsOptions): Receipts {
  const { log, patienceMs = defaultPatienceMs } = options;
  const head = sharedHeads(options.checkpoint, options.pauseMs ?? defaultPauseMs);
  const { files } = openLogReader(options.folder);
  let waiting = 0;
  const make = async (index: number): Promise<string | undefined> => {
    await head();
    for (let i = 0; i < attempts; i++) {
      const proven = await proveEntry(files, index);
      if (proven.kind === "receipt") return fromUtf8(proven.bytes);
      if (proven.kind === "bad" && i === attempts - 1)
        log.error("receipt.failed", { index, reason: proven.why });
    }
    return undefined;
  };
  return {
    of: async (index) => {
      if (waiting >= maxWaiting) return undefined;
      waiting += 1;
      let text: string | undefined;
      const done = make(index)
        .then(
          (made) => (text = made),
          // The journal has logged what keeps it from making heads.
          () => undefined,
        )
        .finally(() => (waiting -= 1));
      await within(done, patienceMs);
      return text;
    },
  };
}

/** A head at once if the last one was begun long enough ago, else as soon as that is so; all who ask until then share it. */
function sharedHeads(checkpoint: FileJournal["checkpoint"], pauseMs: number): () => Promise<void> {
  let notBefore = 0;
  let next: Promise<void> | undefined;
  const begin = async (): Promise<void> => {
    const waitMs = notBefore - performance.now();
    if (waitMs > 0) await pause(waitMs, undefined, { ref: false });
    next = undefined;
    notBefore = performance.now() + pauseMs;
    await checkpoint();
  };
  return () => {
    if (performance.now() >= notBefore) return begin();
    return (next ??= begin());
  };
}
