/** Runs of agents against real tools, with and without attacks, as they were recorded: `../shared/data`. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";

import type { SeenCall } from "../../src/policy/suggest/seen-call.ts";

/** One run: the task of its user, and the calls, of which an attack's are marked. */
export interface TracedRun {
  readonly id: string;
  readonly suite: string;
  readonly task: string;
  readonly calls: readonly SeenCall[];
  /** Those that carry out what an attacker wants; empty in a benign run. */
  readonly attacking: readonly SeenCall[];
}

export interface Traces {
  readonly benign: readonly TracedRun[];
  /** Attacks that reached their goal by calls. */
  readonly attacks: readonly TracedRun[];
}

const file = path.resolve(import.meta.dirname, "../../../shared/data/agentdojo/dev/sessions.jsonl.gz");

/** Why there are none; undefined if there are. */
export const withoutTraces = existsSync(file) ? undefined : `there are no traces in ${file}`;

interface Line {
  readonly id: string;
  readonly suite: string;
  readonly ut: string;
  readonly it: string | null;
  readonly attack: string | null;
  readonly sec: boolean;
  readonly nmal?: number;
  readonly calls: readonly {
    readonly t: string;
    readonly a: Readonly<Record<string, unknown>>;
    readonly e?: string | null;
    readonly m?: number;
  }[];
}

export function readTraces(): Traces {
  const lines = gunzipSync(readFileSync(file)).toString("utf8").trimEnd().split("\n");
  const read = lines.map((line) => JSON.parse(line) as Line);
  return {
    benign: read.filter(({ it, ut }) => it === null && ut.startsWith("user_task")).map(runOf),
    attacks: read.filter(isSuccess).map(runOf),
  };
}

/** Attacks that end in `dos` count the other way round. */
function isSuccess({ it, sec, nmal = 0, attack }: Line): boolean {
  return it !== null && sec && nmal > 0 && attack?.endsWith("dos") !== true;
}

function runOf({ id, suite, ut, calls }: Line): TracedRun {
  const made = calls.map((call, at) => ({ call, seen: seenOf(`${id}#${at}`, suite, call) }));
  return {
    id,
    suite,
    task: ut,
    calls: made.map(({ seen }) => seen),
    attacking: made.filter(({ call }) => call.m === 1).map(({ seen }) => seen),
  };
}

/** One agent uses the tools of one suite; when, nobody wrote down. */
function seenOf(id: string, suite: string, { t, a, e }: Line["calls"][number]): SeenCall {
  return {
    id,
    atUnixMs: 0,
    caller: `spiffe://acme.test/agent/${suite}`,
    chain: [],
    server: suite,
    kind: "tools",
    name: t,
    args: a,
    failed: typeof e === "string" && e !== "",
  };
}
