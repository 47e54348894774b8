/** A caller and a called peer behind a NAT of each kind, and what becomes of calls between all of them. */
import type { Cleanup } from "./cleanup.ts";
import { natKinds, type NatKind, openSite, type Site } from "./nat.ts";
import {
  type CalledHome,
  type CallingHome,
  homeOf,
  openCalled,
  openCalling,
  type PeerHouse,
} from "./peer-house.ts";
import type { WireConduct } from "./wire.ts";

export interface PeerPairs {
  readonly pairs: readonly PeerPair[];
  readonly called: readonly { readonly site: Site; readonly home: CalledHome }[];
  readonly calling: readonly Site[];
  /** From now on, of every wire there is. */
  readonly conduct: (conduct: Partial<WireConduct>) => Promise<void>;
}

export interface PeerPair {
  readonly nats: readonly [NatKind, NatKind];
  readonly caller: CallingHome;
  readonly target: string;
}

/** What the path has to be, and what its `why` has to hold. */
export interface ExpectedPath {
  readonly kind: "direct" | "relayed";
  readonly why: string;
}

export interface PairOutcome {
  readonly kind: string;
  readonly why: string;
  readonly met: readonly number[];
  readonly meetings: number;
  readonly answered: number;
  readonly calls: number;
  readonly wholeMs: number;
  /** Of calls one by one. */
  readonly callMs: readonly number[];
  /** Of answers of a million bytes, one by one. */
  readonly millionMs: readonly number[];
  readonly failures: readonly string[];
}

export async function openPairs(t: Cleanup, house: PeerHouse): Promise<PeerPairs> {
  const sites = async (side: "a" | "b", subnet: number): Promise<readonly Site[]> => {
    const opened: Site[] = [];
    for (const [i, kind] of natKinds.entries()) {
      const address = `203.0.113.${subnet + i}`;
      const homes = side === "b" ? 2 : 1;
      opened.push(await openSite(t, house.network, { kind, label: `${side}${i}`, address, homes }));
    }
    return opened;
  };
  const [calling, places] = [await sites("a", 100), await sites("b", 200)];
  const edges = [house.town, ...calling, ...places].map(({ edge }) => edge);
  const called = await Promise.all(
    places.map(async (site, i) => ({
      site,
      home: await openCalled(t, house, { name: `server${i}`, home: homeOf(site) }),
    })),
  );
  const callers = await Promise.all(
    calling.map((site, i) => openCalling(t, house, { name: `caller${i}`, home: homeOf(site) })),
  );
  return {
    pairs: callers.flatMap((caller, i) =>
      called.map(({ home: { target } }, j) => ({
        nats: [natKinds[i] ?? "none", natKinds[j] ?? "none"] as const,
        caller,
        target,
      })),
    ),
    called,
    calling,
    conduct: async (conduct) =>
      void (await house.network.conduct(new Map(edges.map((edge) => [edge, conduct] as const)))),
  };
}

/** A symmetric NAT is met only by who lets in whatever port it takes. */
export function expectedPath([one, other]: readonly [NatKind, NatKind]): ExpectedPath {
  const direct = { kind: "direct", why: "" } as const;
  if (one !== "symmetric" && other !== "symmetric") return direct;
  if (one === other) return { kind: "relayed", why: "both NATs show each destination another port" };
  const beside = one === "symmetric" ? other : one;
  if (beside === "none" || beside === "address-restricted") return direct;
  const whose = one === "symmetric" ? "this end's NAT" : "the other end's NAT";
  return { kind: "relayed", why: `${whose} shows each destination another port` };
}

interface PairWork {
  readonly meetings: number;
  readonly calls: number;
  /** Calls one by one, and answers of a million bytes. */
  readonly lonely: number;
  readonly millions: number;
}

/** Dials by name so often, then calls over one link. */
export async function carriedBy(
  { caller, target }: PeerPair,
  { meetings, calls, lonely, millions }: PairWork,
): Promise<PairOutcome> {
  const met = await caller.meet(target, meetings);
  const [first] = met;
  await caller.open(target);
  const alone = await caller.call({ count: lonely, inFlight: 1 });
  const many = await caller.call({ count: calls, inFlight: 50 });
  const fill = { tool: "fill", arguments: { bytes: 1_000_000 } } as const;
  const big = await caller.call({ count: millions, inFlight: 1, ...fill });
  await caller.close();
  const kinds = new Set(met.map(({ path }) => path?.kind ?? "unreached"));
  const failures = [...alone.failures, ...many.failures, ...big.failures].map(({ text }) => text);
  return {
    kind: [...kinds].join(" and "),
    why: first?.path?.why ?? "",
    met: met.filter(({ failure }) => failure === undefined).map(({ ms }) => ms),
    meetings,
    answered: many.ms.length,
    calls,
    wholeMs: many.wholeMs,
    callMs: alone.ms,
    millionMs: big.ms,
    failures: [...met.flatMap(({ failure }) => failure ?? []), ...failures],
  };
}
