/** Peers meet through NATs of each kind, by real processes in network namespaces. Needs root and Linux. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { homeOf, openCalled, openCalling, openPeerHouse } from "../support/peer-house.ts";
import { natKinds, type NatKind, openSite, type Site, whyNoNats } from "../support/nat.ts";

const skip = whyNoNats() ?? false;
const delayMs = 5;

test("peers meet directly wherever their NATs let them, through the relay where not", { skip }, async (t) => {
  const house = await openPeerHouse(t);
  const sites = async (side: "a" | "b", subnet: number): Promise<readonly Site[]> => {
    const opened: Site[] = [];
    for (const [i, kind] of natKinds.entries()) {
      const address = `203.0.113.${subnet + i}`;
      const homes = side === "b" ? 2 : 1;
      opened.push(await openSite(t, house.network, { kind, label: `${side}${i}`, address, homes }));
    }
    return opened;
  };
  const [calling, called] = [await sites("a", 100), await sites("b", 200)];
  const edges = [house.town, ...calling, ...called].map(({ edge }) => [edge, { delayMs }] as const);
  await house.network.conduct(new Map(edges));
  const servers = await Promise.all(
    called.map((site, i) => openCalled(t, house, { name: `server${i}`, home: homeOf(site) })),
  );
  const callers = await Promise.all(
    calling.map((site, i) => openCalling(t, house, { name: `caller${i}`, home: homeOf(site) })),
  );
  const rows = await Promise.all(
    callers.map(async (caller, i) => {
      const cells: { readonly shown: string; readonly wrong: readonly string[] }[] = [];
      for (const [j, { target }] of servers.entries()) {
        const [met] = await caller.meet(target, 1);
        const pair = [natKinds[i] ?? "none", natKinds[j] ?? "none"] as const;
        const { kind = "unreached", why = "" } = met?.path ?? {};
        const expected = expectedPath(pair);
        const isRight = kind === expected.kind && why.includes(expected.why);
        const wrong = isRight ? [] : [`${pair.join(" to ")}: ${kind}, ${why} ${met?.failure ?? ""}`];
        cells.push({ shown: `${kind} ${met?.ms.toFixed(0) ?? ""} ms`, wrong });
      }
      return cells;
    }),
  );
  t.diagnostic("caller \\ called".padEnd(20) + natKinds.map((kind) => kind.padEnd(20)).join(""));
  for (const [i, row] of rows.entries())
    t.diagnostic((natKinds[i] ?? "").padEnd(20) + row.map(({ shown }) => shown.padEnd(20)).join(""));
  assert.deepEqual(
    rows.flat().flatMap(({ wrong }) => wrong),
    [],
  );
  await t.test("two homes behind one NAT meet on their own network", async (s) => {
    for (const [i, site] of called.entries()) {
      const [, home] = site.homes;
      if (home === undefined) continue; // In the public network itself.
      const neighbour = await openCalling(s, house, { name: `neighbour${i}`, home });
      const [met] = await neighbour.meet(servers[i]?.target ?? "", 1);
      assert.equal(met?.path?.kind, "local", `${site.kind}: ${met?.failure ?? met?.path?.why ?? ""}`);
    }
  });
});

/** A symmetric NAT is met only by who lets in whatever port it takes. */
function expectedPath([one, other]: readonly [NatKind, NatKind]): {
  readonly kind: "direct" | "relayed";
  readonly why: string;
} {
  const direct = { kind: "direct", why: "" } as const;
  if (one !== "symmetric" && other !== "symmetric") return direct;
  if (one === other) return { kind: "relayed", why: "both NATs show each destination another port" };
  const beside = one === "symmetric" ? other : one;
  if (beside === "none" || beside === "address-restricted") return direct;
  const whose = one === "symmetric" ? "this end's NAT" : "the other end's NAT";
  return { kind: "relayed", why: `${whose} shows each destination another port` };
}
