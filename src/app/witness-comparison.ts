/**
 * Witnesses compared: each may have seen a history that is consistent in itself. Two heads of one size with different
 * roots convict the log by themselves; heads of different sizes are one history if the log proves both under one head.
 */
import type { Stats } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";

import { maxNoteBytes } from "../audit/checkpoint.ts";
import { type Head, readHead } from "../audit/head.ts";
import { judgeShown, needsCrossings } from "../audit/witness.ts";
import type { ShownHead } from "../audit/witness-answer.ts";
import type { LogKey } from "../crypto/log-key.ts";
import { fromUtf8, toBase64 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { readKeyFile } from "./log-verification.ts";
import { crossingsAfter } from "./witness-round.ts";
import type { LogSource } from "./witness-source.ts";

interface SeenHead {
  /** Where it was found. */
  readonly by: string;
  readonly checkpoint: Uint8Array;
  readonly head: Head;
}

export type Comparison =
  | { readonly kind: "one-history"; readonly heads: readonly SeenHead[]; readonly size: number }
  /** Two signed heads that can't be of one log. */
  | { readonly kind: "split-view"; readonly says: string; readonly evidence: readonly SeenHead[] }
  | { readonly kind: "unproven"; readonly says: string };

/** Heads that were kept elsewhere, and the keys they hold by. */
export interface KeptElsewhere {
  readonly keys: LogKey;
  readonly heads: readonly SeenHead[];
}

/**
 * Heads from files with a checkpoint, `witness/` folders, or state folders that have one.
 * @param key file with a public key of the log; by default what the first of those folders has pinned
 * @throws Refusal `bad_config` if there is no key, or one of them isn't signed by it
 */
export async function readKeptHeads(
  places: readonly string[],
  key: string | undefined,
): Promise<KeptElsewhere> {
  const found = await Promise.all(places.map(located));
  const keyFile = key ?? found.find(({ keys }) => keys !== undefined)?.keys;
  if (keyFile === undefined) {
    throw new Refusal("bad_config", "Name the log's public key with --key: none of these has pinned one.");
  }
  // Of several that pinned keys, the one that followed the log furthest has those of the others too.
  const known = await Promise.all([keyFile, ...found.flatMap(({ keys }) => keys ?? [])].map(readKeyFile));
  const keys = known.toSorted((a, b) => (a.at(-1)?.number ?? 0) - (b.at(-1)?.number ?? 0)).at(-1) ?? [];
  const heads = await Promise.all(
    found.map(async ({ by, file }) => {
      const checkpoint = await readBounded(file);
      const reading = readHead(checkpoint, keys);
      if (reading.kind === "signed") return { by, checkpoint, head: reading.head };
      throw new Refusal("bad_config", `${file} holds no head of this log: ${reading.why}.`);
    }),
  );
  return { keys, heads };
}

/** @param source the log that is to prove them; without one only heads of the same size can be told apart */
export async function compareHeads(
  { keys, heads }: KeptElsewhere,
  source: LogSource | undefined,
): Promise<Comparison> {
  const clash = clashIn(heads);
  if (clash !== undefined) return clash;
  const [largest] = heads.toSorted((a, b) => b.head.size - a.head.size);
  const size = largest?.head.size ?? 0;
  if (source === undefined && heads.every(({ head }) => head.size === size)) {
    return { kind: "one-history", heads, size };
  }
  if (source === undefined) {
    const says =
      "Their sizes differ: name the log that is to prove them, with --log, or a sidecar of its gateway with --state.";
    return { kind: "unproven", says };
  }
  const shown = await shownAtOnce(source, heads);
  if (shown === undefined)
    return { kind: "unproven", says: "The log grew too fast to be asked; run it again." };
  for (const [i, seen] of heads.entries()) {
    const answer = shown[i];
    if (answer === undefined) continue;
    const crossings = needsCrossings(keys, answer.checkpoint)
      ? await crossingsAfter(keys, source)
      : new Map();
    const verdict = judgeShown({ keys, checkpoint: seen.checkpoint }, { ...answer, crossings });
    if (verdict.kind === "unreadable") return { kind: "unproven", says: verdict.says };
    if (verdict.kind === "incident") return convicted(seen, answer, verdict);
  }
  return { kind: "one-history", heads, size };
}

function convicted(
  seen: SeenHead,
  answer: ShownHead,
  { says, keys }: Extract<ReturnType<typeof judgeShown>, { readonly kind: "incident" }>,
): Comparison {
  const reading = readHead(answer.checkpoint, keys);
  const log =
    reading.kind === "signed" ? [{ by: "the log", checkpoint: answer.checkpoint, head: reading.head }] : [];
  return { kind: "split-view", says, evidence: [seen, ...log] };
}

function clashIn(heads: readonly SeenHead[]): Comparison | undefined {
  const bySize = new Map<number, SeenHead>();
  for (const seen of heads) {
    const { size, root } = seen.head;
    const other = bySize.get(size);
    if (other !== undefined && toBase64(other.head.root) !== toBase64(root)) {
      const says = `Two heads of ${size} entries have different roots: the log's keys signed two histories.`;
      return { kind: "split-view", says, evidence: [other, seen] };
    }
    bySize.set(size, seen);
  }
  return undefined;
}

const maxTries = 8;

/** Answers for all of them under one head, so that a log can't prove each under another. */
async function shownAtOnce(
  source: LogSource,
  heads: readonly SeenHead[],
): Promise<readonly ShownHead[] | undefined> {
  for (let tries = 1; tries <= maxTries; tries++) {
    const shown: ShownHead[] = [];
    for (const { head } of heads) shown.push(await source.shown(head.size));
    const texts = new Set(shown.map(({ checkpoint }) => textOf(checkpoint)));
    if (texts.size === 1) return shown;
  }
  return undefined;
}

/** Origin, size and root: the same head may carry other signatures. */
function textOf(checkpoint: Uint8Array): string {
  return (fromUtf8(checkpoint) ?? "").split("\n\n", 1)[0] ?? "";
}

async function located(
  place: string,
): Promise<{ readonly by: string; readonly file: string; readonly keys: string | undefined }> {
  const isFolder = (await statOf(place)).isDirectory();
  if (!isFolder) return { by: place, file: place, keys: undefined };
  const inState = path.join(place, "witness");
  const folder = (await stat(inState).catch(() => undefined))?.isDirectory() === true ? inState : place;
  return { by: place, file: path.join(folder, "checkpoint"), keys: path.join(folder, "keys.txt") };
}

async function statOf(place: string): Promise<Stats> {
  try {
    return await stat(place);
  } catch (cause) {
    throw new Refusal("bad_config", `${place} isn't there; expected a checkpoint or a witness's folder.`, {
      cause,
    });
  }
}

async function readBounded(file: string): Promise<Uint8Array> {
  const isSmall = (await statOf(file)).size <= maxNoteBytes;
  if (isSmall) return await readFile(file);
  throw new Refusal("bad_config", `${file} is too long for a checkpoint (${maxNoteBytes} bytes at most).`);
}
