/** Recorded flows, one a line: `{label, hour?, ev: [[t_ms, direction, record type, length, connection], …]}`. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import path from "node:path";
import { pipeline } from "node:stream/promises";

import { z } from "zod";

import { type FlowSummary, summaryOf } from "../../detect/flows/flow-window.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { jsonLines } from "./json-lines.ts";
import type { TrainedOn } from "./model-file.ts";

export interface RecordedFlow {
  readonly label: string;
  readonly summary: FlowSummary;
  readonly records: number;
  /** On making the summary. */
  readonly spentMs: number;
}

const maxFlows = 200_000;

const schema = z.object({
  label: z.string().min(1).max(64),
  hour: z.number().min(0).max(24).optional(),
  ev: z
    .array(
      z
        .tuple([
          z.number(),
          z.union([z.literal(1), z.literal(-1)]),
          z.number(),
          z.number().min(0),
          z.number(),
        ])
        .rest(z.unknown()),
    )
    .min(1)
    .max(1_000_000),
});

/** @throws Refusal `bad_config` where the file can't be read, or a line is no flow */
export async function* recordedFlows(file: string): AsyncGenerator<RecordedFlow, void> {
  let line = 0;
  for await (const value of jsonLines(file)) {
    if (++line > maxFlows) throw new Refusal("bad_config", `${file} has more than ${maxFlows} flows.`);
    const read = schema.safeParse(value);
    if (!read.success) {
      throw new Refusal("bad_config", `${file}, flow ${line}, is none: ${z.prettifyError(read.error)}`);
    }
    const { label, hour, ev } = read.data;
    const records = ev.map(([tMs, direction, type, bytes, connection]) => ({
      tMs,
      from: direction === 1 ? ("client" as const) : ("server" as const),
      type,
      bytes,
      connection,
    }));
    const startMs = performance.now();
    const summary = summaryOf(records, hour);
    yield { label, summary, records: ev.length, spentMs: performance.now() - startMs };
  }
}

/** Where flows stand in a folder of recordings that has others beside them. */
const ownFolder = path.join("mcp_tls_flows", "dev");

/** The files of flows in a folder, in the order of their names. @throws Refusal `bad_config` if there are none */
export async function flowFiles(folder: string): Promise<readonly string[]> {
  const within = await namesIn(path.join(folder, ownFolder));
  const [place, names] =
    within.length > 0 ? [path.join(folder, ownFolder), within] : [folder, await namesIn(folder)];
  if (names.length > 0) return names.map((name) => path.join(place, name));
  throw new Refusal(
    "bad_config",
    `${folder} has no files of flows: expected FILE.jsonl or FILE.jsonl.gz there, or in ${ownFolder}.`,
  );
}

async function namesIn(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => /\.jsonl(\.gz)?$/.test(name)).toSorted();
}

/** Which file it was. */
export async function digestOfFile(file: string): Promise<TrainedOn> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return { name: path.basename(file), sha256: hash.digest("base64url") };
}
