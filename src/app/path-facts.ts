/** What is known of bad paths: told in the log, kept in the state folder for the next process, shown by `status`. */
import { z } from "zod";

import {
  knownPaths,
  type PathEvent,
  type PathFact,
  triedText,
  type Way,
  wayText,
} from "../host/net/known-paths.ts";
import { readIfThere, writePrivateFile } from "../host/store/files.ts";
import type { Log } from "../kernel/log.ts";
import { statePaths } from "./state-folder.ts";

const waySchema = z
  .strictObject({
    hello: z.enum(["whole", "small"]),
    segment_bytes: z.int().min(500).max(65_535).optional(),
  })
  .transform(({ hello, segment_bytes: segmentBytes }): Way => ({
    hello,
    ...(segmentBytes !== undefined && { segmentBytes }),
  }));

const fileSchema = z
  .array(
    z.strictObject({
      destination: z.string().max(300),
      way: waySchema,
      tried: z.array(z.strictObject({ way: waySchema, met: z.enum(["silence", "reset", "stall"]) })).max(16),
      found: z.iso.datetime().transform((text) => Date.parse(text)),
    }),
  )
  .max(256);

/**
 * Takes up what an earlier process on that state folder found, and goes on from there.
 * @returns ends it, when all is written
 */
export async function keepPathFacts(state: string, log: Log): Promise<() => Promise<void>> {
  knownPaths.restore(await readPathFacts(state));
  let written = Promise.resolve();
  const stop = knownPaths.observe((event) => {
    tell(event, log);
    written = written.then(() => write(state, log));
  });
  return async () => {
    stop();
    await written;
  };
}

/** What a process on that state folder found. A file that can't be read holds nothing: it is a memory, no setting. */
export async function readPathFacts(state: string): Promise<readonly PathFact[]> {
  const text = await readIfThere(statePaths(state).paths).catch(() => undefined);
  const parsed = fileSchema.safeParse(jsonIn(text ?? "[]"));
  if (!parsed.success) return [];
  return parsed.data.map(({ found, ...fact }) => ({ ...fact, foundUnixMs: found }));
}

/** One line for people: `files.example:8443: small hello (as configured: silence)`. */
export function pathFactText({ destination, way, tried }: PathFact): string {
  return `${destination}: ${wayText(way)} (${triedText(tried)})`;
}

function tell(event: PathEvent, log: Log): void {
  if (event.kind === "recovered") {
    log.info("path.recovered", { destination: event.destination });
    return;
  }
  if (event.kind === "broken") {
    log.warn("path.broken", { destination: event.destination, tried: triedText(event.tried) });
    return;
  }
  const { destination, way, tried } = event.fact;
  log.warn(way.segmentBytes === undefined ? "path.small_hello" : "path.small_segments", {
    destination,
    tried: triedText(tried),
    worked: wayText(way),
    segmentBytes: way.segmentBytes,
  });
}

async function write(state: string, log: Log): Promise<void> {
  const facts = knownPaths.facts().map(({ destination, way, tried, foundUnixMs }) => ({
    destination,
    way: written(way),
    tried: tried.map(({ way: each, met }) => ({ way: written(each), met })),
    found: new Date(foundUnixMs).toISOString(),
  }));
  try {
    await writePrivateFile(statePaths(state).paths, `${JSON.stringify(facts)}\n`);
  } catch (error) {
    log.warn("path.unwritten", { reason: error instanceof Error ? error.message : "unknown" });
  }
}

function written({ hello, segmentBytes }: Way): z.input<typeof waySchema> {
  return { hello, ...(segmentBytes !== undefined && { segment_bytes: segmentBytes }) };
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
