/** The private keys of a log's generations, by name in the key folder, and what the log's folder says of them. */
import { readdir } from "node:fs/promises";
import path from "node:path";

import { crossingPath, crossingsFolder, readCrossing } from "../audit/crossing.ts";
import { walkGenerations } from "../audit/generations.ts";
import { fingerprint } from "../crypto/keys.ts";
import { formatLogKey, type LogGeneration, type LogKey, readLogKey } from "../crypto/log-key.ts";
import { noteKeyOf, noteSigner } from "../crypto/note-keys.ts";
import { defaultProfile, resolveProfile } from "../crypto/suites/profiles.ts";
import type { LogSuites } from "../crypto/suites/signatures.ts";
import { ensurePrivateFolder, noneIfMissing, readIfThere, writePrivateFile } from "../host/store/files.ts";
import { type GenerationSigners, publicGeneration } from "../host/store/journal-rotation.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import { checkpointFile, readIfThereAsync } from "../host/store/log-folder.ts";
import { Refusal } from "../kernel/refusal.ts";

/** In the log's folder: the public keys it began with. What came later is in its crossings. */
const firstKeyFile = "first-key.txt";
/** Log keys are named after their kind, from the second generation on with its number. */
const keyName = /^log-[a-z0-9-]+?(?:\.([1-9][0-9]{0,3}))?$/;
/** As many generations as a key file may hold. */
const listedGenerations = 16;

export interface OpenLogKeys {
  readonly origin: string;
  /** The generation that signs. */
  readonly current: GenerationSigners;
  /** Keys of a generation, made where they aren't there yet. @param kinds of note keys, or suites */
  readonly make: (number: number, kinds: readonly string[]) => Promise<GenerationSigners>;
}

/**
 * The keys that the log in `folder` is signed with; a log that isn't there yet gets keys of `suites`.
 * @throws Refusal `bad_state` if the log has other keys than the key folder, `bad_log` if its crossings can't be read
 */
export async function openLogKeys(
  folder: string,
  keys: KeyFolder,
  begin: { readonly trustDomain: string; readonly suites: LogSuites },
): Promise<OpenLogKeys> {
  const recorded = await recordedGeneration(folder);
  if (recorded === undefined) return await beginLogKeys(folder, keys, begin);
  const origin = recorded.keys[0]?.name ?? "";
  const make = makeIn(keys, origin);
  const kinds = recorded.keys.map(({ kind }) => kind);
  const current = await make(recorded.number, kinds);
  if (formatLogKey([publicGeneration(current)]) === formatLogKey([recorded]))
    return { origin, current, make };
  throw new Refusal(
    "bad_state",
    `The log in ${folder} is signed with keys of generation ${recorded.number} that aren't there; restore them, or begin a new log.`,
  );
}

export function suiteIdsOf({ required, cosignature, daily }: LogSuites): readonly string[] {
  return [...required, cosignature, daily];
}

/** Whether a log whose keys are of these signs what those ask for. */
export function sameSuites(has: readonly string[], asked: readonly string[]): boolean {
  return has.toSorted().join(" ") === asked.toSorted().join(" ");
}

/** The newest generations of a log's keys, as its crossings have them. */
export async function newestGenerations(folder: string, current: LogGeneration): Promise<LogKey> {
  const first = Math.max(2, current.number - listedGenerations + 2);
  const files = new Map<number, Uint8Array>();
  for (let number = first; number <= current.number; number++) {
    const bytes = await readIfThereAsync(folder, crossingPath(number));
    if (bytes !== undefined) files.set(number, bytes);
  }
  return walkGenerations(files, [current]).known;
}

/** Erases the keys that don't sign any more, and those of a rotation that was never begun. @returns their names */
export async function eraseEnded(keys: KeyFolder, current: number): Promise<readonly string[]> {
  const ended = (await keys.list())
    .map(({ name }) => name)
    .filter((name) => generationOfKey(name) !== undefined && generationOfKey(name) !== current);
  for (const name of ended) await keys.remove(name);
  return ended;
}

/** Undefined if it is no log key's name. */
function generationOfKey(name: string): number | undefined {
  const found = keyName.exec(name);
  return found === null ? undefined : Number(found[1] ?? 1);
}

async function recordedGeneration(folder: string): Promise<LogGeneration | undefined> {
  const names = await readdir(path.join(folder, crossingsFolder)).catch(noneIfMissing);
  const newest = Math.max(
    0,
    ...names.map((name) => Number(/^([1-9][0-9]*)\.tlog-proof$/.exec(name)?.[1] ?? 0)),
  );
  if (newest === 0) {
    const text = await readIfThere(path.join(folder, firstKeyFile));
    return text === undefined ? undefined : readLogKey(text)[0];
  }
  const bytes = (await readIfThereAsync(folder, crossingPath(newest))) ?? new Uint8Array();
  const reading = readCrossing(bytes, newest);
  if (reading.kind === "crossing") return reading.crossing.to;
  throw new Refusal(
    "bad_log",
    `The audit log can't be opened: ${crossingPath(newest)}: ${reading.why}. It isn't repaired; run "latticegate audit verify" on it.`,
  );
}

/** The log's name holds a fingerprint of what it began with, and stays when the keys rotate. */
async function beginLogKeys(
  folder: string,
  keys: KeyFolder,
  { trustDomain, suites }: { readonly trustDomain: string; readonly suites: LogSuites },
): Promise<OpenLogKeys> {
  // One that was begun before its keys were written down beside it has those that every log had then.
  const isOlder = (await readIfThereAsync(folder, checkpointFile)) !== undefined;
  const used = isOlder ? resolveProfile(defaultProfile).log : suites;
  const [main] = used.required.slice(-1);
  if (main === undefined) throw new Refusal("bad_config", "A log needs a required key.");
  const key = await keys.signing(nameOfKey(noteKeyOf(main).label, 1), main);
  const origin = `${trustDomain}/log/${fingerprint(key.publicKey).slice(0, 8)}`;
  const make = makeIn(keys, origin);
  const current = await make(1, suiteIdsOf(used));
  await ensurePrivateFolder(folder);
  await writePrivateFile(path.join(folder, firstKeyFile), formatLogKey([publicGeneration(current)]));
  return { origin, current, make };
}

function makeIn(keys: KeyFolder, origin: string): OpenLogKeys["make"] {
  return async (number, kinds) => {
    const made = await Promise.all(
      kinds.map(noteKeyOf).map(async ({ kind, suiteId, role, label }) => {
        const key = await keys.signing(nameOfKey(label, number), suiteId);
        return { role, signer: noteSigner(kind, origin, key) };
      }),
    );
    const dailySigner = made.find(({ role }) => role === "daily")?.signer;
    return {
      number,
      signers: made.flatMap(({ role, signer }) => (role === "daily" ? [] : [signer])),
      dailySigner,
    };
  };
}

function nameOfKey(label: string, number: number): string {
  return `log-${label}${number === 1 ? "" : `.${number}`}`;
}
