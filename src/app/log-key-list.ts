/** The generations of a log's keys, as a key file and the log's crossings have them. */
import { type CrossingFault, findCrossings, walkGenerations } from "../audit/generations.ts";
import { spansOf, type GenerationSpan } from "../audit/verify.ts";
import { keysHash } from "../crypto/log-key.ts";
import { openLogReader } from "../host/store/log-reader.ts";
import { type LogToVerify, readKeyFile } from "./log-verification.ts";

export interface LogKeyReport extends GenerationSpan {
  readonly state: "signs" | "ended";
  /** SHA-256 of its lines in the key file, in hexadecimal. */
  readonly fingerprint: string;
}

/** Nothing is verified but the crossings: what the log holds is `audit verify`'s. */
export async function listLogKeys({ folder, key }: Pick<LogToVerify, "folder" | "key">): Promise<{
  readonly generations: readonly LogKeyReport[];
  readonly faults: readonly CrossingFault[];
}> {
  const logKey = await readKeyFile(key);
  const walked = walkGenerations(await findCrossings(openLogReader(folder).files, logKey), logKey);
  const spans = spansOf(walked, logKey);
  const generations = walked.known.flatMap(({ number, keys }) =>
    spans
      .filter((span) => span.number === number)
      .map((span) => ({ ...span, state: stateOf(span), fingerprint: keysHash(keys) })),
  );
  return { generations, faults: walked.faults };
}

function stateOf({ toSize }: GenerationSpan): LogKeyReport["state"] {
  return toSize === undefined ? "signs" : "ended";
}
