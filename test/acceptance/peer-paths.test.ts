/**
 * Peers over bad paths, directly, through punched holes and through a relay, beside plain TCP and classical TLS over
 * the same wires: by real processes in network namespaces. Needs root and Linux. Figures are printed, promises held.
 */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type NatKind, openSite, type Site, whyNoNats } from "../support/nat.ts";
import {
  type CalledHome,
  type CallingHome,
  homeOf,
  openCalled,
  openCalling,
  openPeerHouse,
} from "../support/peer-house.ts";
import { plainEnds } from "../support/plain-pair.ts";
import type { WireConduct } from "../support/wire.ts";

const skip = whyNoNats() ?? false;
const calls = 1000;
const meetings = 4;
/** One way, of each of the two or four wires between two homes. */
const long = { delayMs: 5 };

/** Loss is of each wire in each direction: a path has two of them. */
const paths: readonly { readonly what: string; readonly conduct: Partial<WireConduct> }[] = [
  { what: "good", conduct: long },
  { what: "1280 bytes, told", conduct: { ...long, mtu: 1280 } },
  { what: "1280 bytes, a black hole", conduct: { ...long, mtu: 1280, tellsSenders: false } },
  { what: "1 % lost", conduct: { ...long, lossPermille: 5 } },
  { what: "5 % lost", conduct: { ...long, lossPermille: 25 } },
];

/** Which NATs lead to which path. */
const modes: readonly {
  readonly mode: string;
  readonly from: NatKind;
  readonly to: NatKind;
  readonly kind: "direct" | "relayed";
}[] = [
  { mode: "direct", from: "preserving", to: "none", kind: "direct" },
  { mode: "punched", from: "preserving", to: "preserving", kind: "direct" },
  { mode: "relayed", from: "symmetric", to: "symmetric", kind: "relayed" },
];

test(
  `${calls} calls directly, through punched holes and relayed, over good paths and bad`,
  { skip },
  async (t) => {
    const house = await openPeerHouse(t);
    const site = async (kind: NatKind, last: number): Promise<Site> =>
      await openSite(t, house.network, { kind, label: `s${last}`, address: `203.0.113.${last}` });
    const callers = { preserving: await site("preserving", 11), symmetric: await site("symmetric", 12) };
    const called = [await site("none", 21), await site("preserving", 22), await site("symmetric", 23)];
    const edges = [house.town, ...Object.values(callers), ...called].map(({ edge }) => edge);
    const servers = await Promise.all(
      called.map((each, i) => openCalled(t, house, { name: `server${i}`, home: homeOf(each) })),
    );
    const calling = {
      preserving: await openCalling(t, house, { name: "one", home: homeOf(callers.preserving) }),
      symmetric: await openCalling(t, house, { name: "other", home: homeOf(callers.symmetric) }),
    };
    const plain = await plainEnds(t, house.folder, { at: called[0], from: homeOf(callers.preserving) });
    t.diagnostic(row(["path", "way", "met", "handshake ms", "calls", "call ms", "1 MB ms"]));
    for (const { what, conduct } of paths) {
      await t.test(what, async (s) => {
        await house.network.conduct(new Map(edges.map((edge) => [edge, conduct])));
        const measured = await plain();
        for (const name of ["tcp", "classical"] as const) {
          const { openMs, roundTripMs, millionMs } = measured[name];
          const met = openMs.filter((ms) => ms !== undefined);
          s.diagnostic(
            row([
              what,
              name,
              `${met.length}/${openMs.length}`,
              middle(met),
              "",
              middle(roundTripMs),
              middle(millionMs),
            ]),
          );
        }
        for (const [i, { mode, from, kind }] of modes.entries()) {
          const caller = calling[from === "symmetric" ? "symmetric" : "preserving"];
          const figures = await carried(caller, servers[i], kind);
          s.diagnostic(row([what, mode, ...figures]));
        }
      });
    }
  },
);

/** @returns what is printed of it */
async function carried(
  caller: CallingHome,
  server: CalledHome | undefined,
  kind: "direct" | "relayed",
): Promise<readonly string[]> {
  const target = server?.target ?? "";
  const met = await caller.meet(target, meetings);
  assert.deepEqual(
    met.map(({ path: found, failure }) => failure ?? found?.kind),
    met.map(() => kind),
  );
  await caller.open(target);
  const lonely = await caller.call({ count: 15, inFlight: 1 });
  const many = await caller.call({ count: calls, inFlight: 50 });
  assert.deepEqual(many.failures.slice(0, 3), []);
  assert.equal(many.ms.length, calls);
  const big = await caller.call({ count: 3, inFlight: 1, tool: "fill", arguments: { bytes: 1_000_000 } });
  assert.deepEqual([...lonely.failures, ...big.failures], []);
  await caller.close();
  const handshakes = met.map(({ ms }) => ms);
  return [
    `${met.length}/${met.length}`,
    middle(handshakes),
    `${many.ms.length}/${calls} in ${(many.wholeMs / 1000).toFixed(1)} s`,
    middle(lonely.ms),
    middle(big.ms),
  ];
}

function middle(values: readonly (number | undefined)[]): string {
  const known = values.filter((ms) => ms !== undefined).toSorted((a, b) => a - b);
  return known[Math.floor(known.length / 2)]?.toFixed(0) ?? "never";
}

function row(cells: readonly string[]): string {
  const widths = [26, 15, 6, 14, 22, 9, 8];
  return cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("");
}
