/** Captured calls, opened: those that are young enough, and whose callers weren't erased. */
import { createReadStream } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";

import { z } from "zod";

import { openCaptured } from "../../crypto/captured-calls.ts";
import { isPseudonym } from "../../crypto/subject-keys.ts";
import { segmentsIn } from "../../host/store/captured-files.ts";
import type { SubjectStore } from "../../host/store/state-subjects.ts";
import { fromUtf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type CallRecord, callRecord } from "../../policy/suggest/call-record.ts";
import { statePaths } from "../state-folder.ts";
import { openSubjectStore, type SubjectsPlace } from "../subject-names.ts";

export interface CapturedCalls {
  /** Oldest first. */
  readonly calls: readonly CallRecord[];
  /** Lines that don't open: their callers were erased, or they were changed or cut off. */
  readonly unreadable: number;
  /** There are older ones, which weren't read: there are too many. */
  readonly isCut: boolean;
}

/** As many are held in memory at once, the newest of them. */
const maxCalls = 200_000;

const line = z.strictObject({ call: z.string(), at: z.string(), caller: z.string(), sealed: z.string() });

/** @throws Refusal `bad_state` if the keys can't be unlocked */
export async function readCaptured(
  place: SubjectsPlace,
  sinceUnixMs: number,
  most = maxCalls,
): Promise<CapturedCalls> {
  const store = await openSubjectStore(place);
  if (store === undefined) return { calls: [], unreadable: 0, isCut: false };
  try {
    return await readAll(statePaths(place.state).captured, store, { sinceUnixMs, most });
  } finally {
    store.close();
  }
}

async function readAll(
  folder: string,
  store: SubjectStore,
  { sinceUnixMs, most }: { readonly sinceUnixMs: number; readonly most: number },
): Promise<CapturedCalls> {
  const parts: (readonly CallRecord[])[] = [];
  let [count, unreadable] = [0, 0];
  const segments = (await segmentsIn(folder)).toReversed();
  for (const [at, name] of segments.entries()) {
    const own: CallRecord[] = [];
    for await (const text of linesOf(path.join(folder, name))) {
      const read = opened(text, store);
      if (read === undefined) unreadable++;
      else if (read.at >= sinceUnixMs) own.push(read);
    }
    parts.unshift(own);
    count += own.length;
    if (count >= most) {
      const calls = parts.flat();
      const isCut = count > most || at < segments.length - 1;
      return { calls: calls.slice(calls.length - most), unreadable, isCut };
    }
  }
  return { calls: parts.flat(), unreadable, isCut: false };
}

async function* linesOf(file: string): AsyncGenerator<string> {
  try {
    for await (const text of createInterface({ input: createReadStream(file) })) if (text !== "") yield text;
  } catch (error) {
    // It was deleted just now, because it is too old.
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
  }
}

function opened(text: string, store: SubjectStore): CallRecord | undefined {
  const read = line.safeParse(parsed(text));
  if (!read.success) return undefined;
  const { call: id, at, caller: pseudonym, sealed } = read.data;
  const subject = store.byPseudonym(pseudonym);
  const bytes = subject && openCaptured(subject.key, id, sealed);
  const inner = bytes === undefined ? undefined : parsed(fromUtf8(bytes) ?? "");
  if (subject === undefined || typeof inner !== "object" || inner === null) return undefined;
  const record = callRecord.safeParse({ ...inner, id, at, caller: subject.id });
  if (!record.success) return undefined;
  const chain = record.data.chain.map((party) => (isPseudonym(party) ? store.byPseudonym(party)?.id : party));
  // With one of those it is on behalf of erased, nobody knows whose call it was.
  const known = chain.filter((party) => party !== undefined);
  return known.length === chain.length ? { ...record.data, chain: known } : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Longer lines are no calls. */
const maxLineChars = 32 * 1024 ** 2;

/** Calls of a file, one a line. @throws Refusal `bad_config` that names the first line that is none */
export async function readCallsFile(file: string): Promise<readonly CallRecord[]> {
  const calls: CallRecord[] = [];
  let number = 0;
  try {
    for await (const text of createInterface({ input: createReadStream(file) })) {
      number++;
      if (text.trim() === "") continue;
      const read = callRecord.safeParse(text.length > maxLineChars ? undefined : parsed(text));
      if (!read.success) throw notACall(file, number, read.error);
      calls.push(read.data);
      if (calls.length > maxCalls)
        throw new Refusal("bad_config", `${file} has more than ${maxCalls} calls.`);
    }
  } catch (cause) {
    if (cause instanceof Refusal) throw cause;
    throw new Refusal("bad_config", `${file} can't be read.`, { cause });
  }
  return calls;
}

function notACall(file: string, number: number, error: z.ZodError): Refusal {
  const [issue] = error.issues;
  const where =
    issue === undefined || issue.path.length === 0 ? "" : `\`${issue.path.map(String).join(".")}\`: `;
  return new Refusal("bad_config", `${file}:${number}: that is no call: ${where}${issue?.message ?? ""}.`, {
    cause: error,
  });
}
