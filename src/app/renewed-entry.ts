/** One entry with its path to a renewal of the log: made out of a folder, verified out of a file. */
import { readFile } from "node:fs/promises";

import { findRenewals } from "../audit/renewals.ts";
import { renewalPath } from "../audit/renewal.ts";
import {
  proveRenewed,
  readRenewedEntry,
  renewedEntryBytes,
  type RenewedEntryReading,
} from "../audit/renewed-entry.ts";
import { type Fallen, standingWithout } from "../crypto/suites/fallen.ts";
import { openLogReader } from "../host/store/log-reader.ts";
import { Refusal } from "../kernel/refusal.ts";
import { readKeyFile } from "./log-verification.ts";
import { beginningOf } from "./removed-beginning.ts";

/** Under the newest renewal. @throws Refusal `bad_state` if none wraps the entry; nothing is verified */
export async function renewedEntryOf(folder: string, index: number): Promise<Uint8Array> {
  const reader = openLogReader(folder);
  const { files } = reader;
  const [number, note] = [...(await findRenewals(files))].at(-1) ?? [];
  if (number === undefined || note === undefined) {
    throw new Refusal("bad_state", 'The log was never renewed; "latticegate audit renew" does it.');
  }
  const proof = await proveRenewed(files, index, note);
  if (proof !== undefined) return renewedEntryBytes(proof);
  const { first, text } = await beginningOf(reader);
  if (index < first && text !== undefined) {
    throw new Refusal("bad_state", `${text} Entry ${index} can't be proven any more by who hasn't kept it.`);
  }
  const path = renewalPath(number);
  throw new Refusal(
    "bad_state",
    `${path} wraps no entry ${index}; "latticegate audit renew" wraps all there are.`,
  );
}

/** @throws Refusal `bad_config` if a file can't be read */
export async function checkRenewedEntry(
  file: string,
  key: string,
  fallen: readonly Fallen[],
): Promise<RenewedEntryReading> {
  const logKey = await readKeyFile(key);
  const bytes = await readFile(file).catch((cause: unknown) => {
    throw new Refusal("bad_config", `${file} can't be read.`, { cause });
  });
  return readRenewedEntry(bytes, logKey, standingWithout(fallen));
}
