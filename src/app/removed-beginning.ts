/** What a reader of a log is told whose question reaches behind its beginning: that retention removed entries, or somebody. */
import type { LogReader } from "../host/store/log-reader.ts";

interface Beginning {
  /** The first entry that is there. */
  readonly first: number;
  /** A sentence for people; undefined if nothing was removed. */
  readonly text: string | undefined;
}

/** As the log itself says, unverified. */
export async function beginningOf(reader: Pick<LogReader, "first" | "prunedBefore">): Promise<Beginning> {
  const first = await reader.first();
  if (first === 0) return { first, text: undefined };
  const isSaid = (await reader.prunedBefore()) >= first;
  const text = isSaid
    ? `Entries before ${first} were removed by retention.`
    : `Entries before ${first} aren't there, and the log doesn't say why; run "latticegate audit verify".`;
  return { first, text };
}

/** To follow a sentence that says what wasn't found. */
export async function removedHint(reader: Pick<LogReader, "first" | "prunedBefore">): Promise<string> {
  const { text } = await beginningOf(reader);
  return text === undefined ? "" : ` ${text}`;
}
