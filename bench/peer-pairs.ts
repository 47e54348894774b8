/**
 * Every pair of NATs, over good paths and lossy ones of 1280 bytes, beside plain TCP over the same wires. Needs root and
 * Linux.
 */
import { median } from "../src/kernel/statistics.ts";
import type { Cleanup } from "../test/support/cleanup.ts";
import type { NatKind } from "../test/support/nat.ts";
import { homeOf, openPeerHouse } from "../test/support/peer-house.ts";
import { carriedBy, openPairs, type PairOutcome, type PeerPairs } from "../test/support/peer-pairs.ts";
import { plainEnds } from "../test/support/plain-pair.ts";
import type { PlainCosts } from "../test/support/plain-ends.ts";

/** Loss is of a path in each direction; a wire has half of it, and a relayed path twice as many wires. */
const losses = [0, 1, 5] as const;
const conduct = { delayMs: 5, mtu: 1280 } as const;
const work = { meetings: 3, calls: 1000, lonely: 15, millions: 3 } as const;

interface PlainRow {
  readonly loss: number;
  readonly name: string;
  readonly costs: PlainCosts;
}

interface PairRow {
  readonly loss: number;
  readonly nats: readonly [NatKind, NatKind];
  readonly outcome: PairOutcome;
}

export interface PairCosts {
  readonly plain: readonly PlainRow[];
  readonly rows: readonly PairRow[];
}

/** Prints each table once it is whole. */
export async function measurePairs(t: Cleanup): Promise<PairCosts> {
  const house = await openPeerHouse(t);
  const all = await openPairs(t, house);
  const measurePlain = await plainEnds(t, house.folder, plainPlaces(all));
  const plain: PlainRow[] = [];
  const rows: PairRow[] = [];
  printMethod();
  for (const loss of losses) {
    await all.conduct({ ...conduct, lossPermille: loss * 5 });
    const { tcp, classical } = await measurePlain();
    plain.push(
      { loss, name: "plain TCP", costs: tcp },
      { loss, name: "classical TLS 1.3", costs: classical },
    );
    for (const pair of all.pairs) rows.push({ loss, nats: pair.nats, outcome: await carriedBy(pair, work) });
    printLoss(loss, { plain, rows });
  }
  return { plain, rows };
}

/** From behind a NAT to a home in the public network, which everything reaches. */
function plainPlaces({ called, calling }: PeerPairs): Parameters<typeof plainEnds>[2] {
  const from = calling.find(({ kind }) => kind === "preserving");
  const at = called.find(({ site }) => site.kind === "none")?.site;
  if (from === undefined) throw new Error("one of the NATs preserves ports");
  return { at, from: homeOf(from) };
}

function printMethod(): void {
  console.log(
    `\nEvery pair of NATs: 1280 bytes, 5 ms each way on every wire; ${work.meetings} dials by name, ${work.calls} calls 50 at a time,`,
  );
  console.log(`${work.lonely} calls and ${work.millions} answers of 1 MB one by one; medians.`);
}

function printLoss(loss: number, { plain, rows }: PairCosts): void {
  console.log(`\n${loss} % lost`);
  console.log(
    line(["from", "to", "way", "met", "link ms", "calls", "calls/s", "call ms", "+ ms", "1 MB ms"]),
  );
  const beside = plain.filter((row) => row.loss === loss);
  const tcpMs = middle(known(beside[0]?.costs.roundTripMs ?? []));
  for (const { name, costs } of beside) {
    const met = known(costs.openMs);
    const call = middle(known(costs.roundTripMs));
    const cells = [`${met.length}/${costs.openMs.length}`, middle(met), "", "", call, more(call, tcpMs)];
    console.log(line([name, "", "", ...cells, middle(known(costs.millionMs))]));
  }
  for (const { nats, outcome } of rows.filter((row) => row.loss === loss)) {
    const { kind, met, meetings, answered, calls, wholeMs, callMs, millionMs } = outcome;
    const call = middle(callMs);
    const counted = [`${met.length}/${meetings}`, middle(met), `${answered}/${calls}`];
    const timed = [(answered / (wholeMs / 1000)).toFixed(0), call, more(call, tcpMs), middle(millionMs)];
    console.log(line([...nats, kind, ...counted, ...timed]));
  }
}

function more(ms: string, than: string): string {
  return `+${(Number(ms) - Number(than)).toFixed(0)}`;
}

function known(values: readonly (number | undefined)[]): readonly number[] {
  return values.filter((ms) => ms !== undefined);
}

function middle(values: readonly number[]): string {
  return values.length === 0 ? "never" : median(values).toFixed(0);
}

function line(cells: readonly string[]): string {
  const widths = [20, 20, 10, 5, 9, 11, 9, 9, 7, 9];
  return cells
    .map((cell, i) => (i < 3 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
    .join("");
}
