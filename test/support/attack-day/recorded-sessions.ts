/** Recorded sessions of agents, each once: runs that did the very same are one. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";

import { readSessions, type RecordedSession } from "../../../src/app/detect/calls/sessions.ts";

const data = path.resolve(import.meta.dirname, "../../../../shared/data");
const sources = ["agentdojo", "livemcp", "tau"];

/** Why there are none; undefined if there are. */
export const withoutSessions = existsSync(path.join(data, "agentdojo/dev"))
  ? undefined
  : `${data} has no recorded sessions`;

export interface Recordings {
  readonly benign: readonly RecordedSession[];
  /** How many runs they stand for. */
  readonly benignRuns: number;
  /** Attacks that reached their goal by calls. */
  readonly attacks: readonly RecordedSession[];
}

export async function recordings(): Promise<Recordings> {
  const file = (name: string) => (source: string) => path.join(data, source, "dev", `${name}.jsonl.gz`);
  const all = await readSessions({
    sessions: sources.map(file("sessions")),
    outputs: sources.map(file("outputs")),
  });
  const benign = all.filter(({ kind, calls }) => kind === "benign" && calls.length > 0);
  const attacks = all.filter(({ kind }) => kind === "attack");
  return { benign: distinct(benign), benignRuns: benign.length, attacks: distinct(attacks) };
}

function distinct(sessions: readonly RecordedSession[]): readonly RecordedSession[] {
  return [...new Map(sessions.map((each) => [contentOf(each), each])).values()];
}

function contentOf({ suite, calls }: RecordedSession): string {
  return digest(JSON.stringify([suite, calls.map(({ tool, args, output }) => [tool, args, output])]));
}

/** For an order that nobody chose. */
export function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
