/** Recorded flows of TLS records, and attacks that are put into benign ones: of kinds that the recordings don't have. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";

import { type FlowSummary, summaryOf } from "../../src/detect/flows/flow-window.ts";
import type { Random } from "../../src/kernel/seeded-random.ts";

type Event = readonly [tMs: number, direction: 1 | -1, type: number, bytes: number, connection: number];

export interface Flow {
  readonly label: string;
  readonly hour: number;
  readonly ev: readonly Event[];
}

export const flowFolder = path.resolve(import.meta.dirname, "../../../shared/data/mcp_tls_flows/dev");
export const flowFile = path.join(flowFolder, "mcp_tls_flows.jsonl.gz");

/** Why there are none; undefined if there are. */
export const withoutFlows = existsSync(flowFile) ? undefined : `there are no flows in ${flowFile}`;

export function readFlows(): readonly Flow[] {
  const lines = gunzipSync(readFileSync(flowFile)).toString("utf8").trimEnd().split("\n");
  return lines.map((line) => JSON.parse(line) as Flow);
}

export function summaryOfFlow({ ev, hour }: Flow): FlowSummary {
  const records = ev.map(([tMs, direction, type, bytes, connection]) => ({
    tMs,
    from: direction === 1 ? ("client" as const) : ("server" as const),
    type,
    bytes,
    connection,
  }));
  return summaryOf(records, hour);
}

/** What a call's request is at least, in the recordings; shorter ones open the session. */
const callBytes = 380;

/** A benign flow with the attack in it, by the name of the attack. */
export const madeAttacks = {
  drip: (flow, random) => longer(flow, () => 700 + random() * 800),
  "small drip": (flow, random) => longer(flow, () => 300 + random() * 500),
  "drip in half of the requests": (flow, random) => {
    let calls = 0;
    return longer(flow, () => (calls++ % 2 === 0 ? 500 + random() * 1500 : 0));
  },
  "beacon in benign": (flow, random) => {
    const periodMs = (10 + random() * 60) * 1000;
    const jitter = random() * 0.2;
    const beats = Math.round(12 + random() * 18);
    const bytes = 390 + Math.round(random() * 20);
    const connection = lastConnection(flow);
    let atMs = 0;
    const beacon = Array.from({ length: beats }, (): readonly Event[] => {
      atMs += periodMs * (1 + jitter * (2 * random() - 1));
      return [
        [atMs, 1, 23, bytes + Math.round(random() * 8), connection],
        [atMs + 30 + random() * 40, -1, 23, 381, connection],
      ];
    }).flat();
    return [...flow.ev, ...beacon].toSorted((a, b) => a[0] - b[0]);
  },
  tunnel: (flow, random) => {
    const opening = openingOf(flow);
    const connection = lastConnection(flow);
    let atMs = (opening.at(-1)?.[0] ?? 0) + 500;
    const packets = Array.from({ length: 60 + Math.floor(random() * 200) }, (): Event => {
      atMs += -Math.log(1 - random()) * 60;
      return [atMs, random() < 0.5 ? 1 : -1, 23, 60 + Math.round(random() * 1340), connection];
    });
    return [...opening, ...packets];
  },
  /** Who sits between holds every answer back. */
  "latency, 150 ms": (flow, random) => delayed(flow, () => 150 * (0.8 + 0.4 * random())),
  "latency, 250 ms": (flow, random) => delayed(flow, () => 250 * (0.8 + 0.4 * random())),
  "latency, 400 ms": (flow, random) => delayed(flow, () => 400 * (0.8 + 0.4 * random())),
  "latency, 800 ms": (flow, random) => delayed(flow, () => 800 * (0.8 + 0.4 * random())),
} as const satisfies Record<string, (flow: Flow, random: Random) => readonly Event[]>;

export function attacked(name: keyof typeof madeAttacks, flow: Flow, random: Random): Flow {
  return { ...flow, label: name, ev: madeAttacks[name](flow, random) };
}

function longer({ ev }: Flow, byBytes: () => number): readonly Event[] {
  return ev.map((event): Event => {
    const [tMs, direction, type, bytes, connection] = event;
    if (direction !== 1 || type !== 23 || bytes < callBytes) return event;
    return [tMs, direction, type, Math.min(16_401, bytes + Math.round(byBytes())), connection];
  });
}

function delayed(flow: Flow, byMs: () => number): readonly Event[] {
  const opening = openingOf(flow).length;
  let [shiftMs, before] = [0, -1];
  return flow.ev.map(([tMs, direction, ...rest], at): Event => {
    if (at >= opening && direction === -1 && before === 1) shiftMs += byMs();
    before = direction;
    return [tMs + shiftMs, direction, ...rest];
  });
}

/** What comes before the first call: the first pause in which somebody thinks. */
function openingOf({ ev }: Flow): readonly Event[] {
  const first = ev.findIndex(([tMs, direction, type], at) => {
    const beforeMs = ev[at - 1]?.[0];
    return beforeMs !== undefined && direction === 1 && type === 23 && tMs - beforeMs > 150;
  });
  return first === -1 ? ev : ev.slice(0, first);
}

function lastConnection({ ev }: Flow): number {
  return ev.reduce((highest, [, , , , connection]) => Math.max(highest, connection), 0);
}
