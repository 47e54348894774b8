/**
 * Who judges where an exposed server goes by itself: the rules, what operators blocked or lifted, and what is normal.
 * INVARIANT: an address is judged before it is dialled, and a connection is on record before it comes about.
 */
import { randomUUIDv7 } from "node:crypto";
import { networkInterfaces } from "node:os";

import { parseAddress } from "../../expr/network.ts";
import type { Journal } from "../../gate/ports.ts";
import { maxAddresses, type Resolve, resolve as systemResolve } from "../../host/egress/dial.ts";
import { type Crossing, type EgressDesk, EgressRefusal } from "../../host/egress/egress-desk.ts";
import type { EgressBlock, EgressStore } from "../../host/store/state-egress.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { type Destination, destinationText } from "../../policy/egress/destination.ts";
import { decideEgress, type EgressFacts, type EgressVerdict } from "../../policy/egress/egress-rules.ts";
import { type CrossingAbout, openCrossing } from "./crossing.ts";
import type { EgressSettings } from "./egress-file.ts";
import { type KeptBook, keptBook } from "./egress-memory.ts";
import { type EgressRecords, egressRecords } from "./egress-records.ts";

export interface DeskOptions {
  /** Name of the server whose connections they are, and its SPIFFE ID. */
  readonly server: string;
  readonly spiffeId: string;
  readonly settings: () => EgressSettings;
  readonly store: EgressStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  /** As the machine does it by default. */
  readonly resolve?: Resolve | undefined;
}

export interface OpenDesk extends EgressDesk {
  readonly stop: () => Promise<void>;
}

/** At the same time, and begun within a minute: more than servers need, less than fills a log. */
const maxOpen = 128;
const maxPerMinute = 600;
const minuteMs = 60_000;

type Letting = Extract<EgressVerdict, { readonly kind: "allow" | "learn" }>;

export function openEgressDesk(options: DeskOptions): OpenDesk {
  const { store, clock, log } = options;
  const records = egressRecords(options);
  const kept = keptBook(store, log);
  const desk: Desk = { ...options, records, kept };
  const pace = paced();
  const open = new Map<Crossing, CrossingAbout>();
  records.lifted();
  return {
    misread: (because) => records.refused({ destination: "-", because }),
    open: async (destination, how) => {
      if (open.size >= maxOpen || !pace(clock.nowUnixMs())) {
        records.refused({ destination: "-", because: "Too many connections." });
        throw new EgressRefusal(503, "There are too many connections; try again later.");
      }
      const { addresses, verdict } = await admit(destination, desk);
      meet(destination, verdict, desk);
      const about: CrossingAbout = { callId: randomUUIDv7(), destination, how, verdict, addresses };
      await record(about, desk);
      const crossing = openCrossing(about, {
        ...desk,
        onEnd: (ended) => void open.delete(ended),
        endOthers: (name, because) => endTo(open, name, because),
      });
      open.set(crossing, about);
      // Another connection may have been cut while this one was recorded.
      const block = store.blockOf(destinationText(destination));
      if (block === undefined) return crossing;
      crossing.ended(block.because);
      throw refuse(desk, destination, blockedText(block));
    },
    stop: async () => {
      for (const crossing of open.keys()) crossing.ended("the sidecar stopped");
      kept.stop();
      await records.stop();
    },
  };
}

interface Desk extends DeskOptions {
  readonly records: EgressRecords;
  readonly kept: KeptBook;
}

interface Admitted {
  readonly addresses: readonly string[];
  readonly verdict: Letting;
}

/** What was blocked, the rules, then the name's addresses: nothing is looked up that no rule could let through. */
async function admit(destination: Destination, desk: Desk): Promise<Admitted> {
  const name = destinationText(destination);
  const block = desk.store.blockOf(name);
  if (block !== undefined) throw refuse(desk, destination, blockedText(block));
  const ask = questions(desk, destination);
  const first = ask();
  if (first.kind === "deny") throw refuse(desk, destination, first.because, first.rule);
  const { addresses, verdict } = await addressesOf(destination, ask, desk.resolve ?? systemResolve);
  if (verdict.kind === "deny") throw refuse(desk, destination, verdict.because, verdict.rule);
  return { addresses, verdict };
}

function meet(destination: Destination, verdict: Letting, desk: Desk): void {
  const { kept, store, settings, clock } = desk;
  const name = destinationText(destination);
  // What a rule allows is met without being counted as new.
  const newPerDay = verdict.kind === "allow" ? Number.POSITIVE_INFINITY : settings().newPerDay;
  if (verdict.kind === "learn" && !kept.book.isKnown(name) && store.isFull())
    throw refuse(desk, destination, "There are too many blocked destinations for a new one to be learned.");
  if (!kept.book.meet(name, newPerDay, clock.nowUnixMs()))
    throw refuse(
      desk,
      destination,
      `The server went to ${newPerDay} new destinations today, and to no more.`,
    );
}

async function record(
  { callId, destination, how, verdict, addresses }: CrossingAbout,
  desk: Desk,
): Promise<void> {
  const { rule, kind: effect } = verdict;
  const facts = {
    destination: destinationText(destination),
    addresses: addresses.join(" "),
    how,
    effect,
    rule,
  };
  try {
    await desk.records.opened(callId, facts);
  } catch (cause) {
    throw new EgressRefusal(503, "The connection can't be recorded, so it isn't made.", cause);
  }
}

function refuse({ records }: Desk, destination: Destination, because: string, rule?: string): EgressRefusal {
  const named = rule !== undefined && { rule };
  records.refused({ destination: destinationText(destination), because, ...named });
  return new EgressRefusal(403, because);
}

function blockedText({ destination, because }: EgressBlock): string {
  return `${destination} is refused until an operator lifts that (latticegate egress lift ${destination}): ${because}`;
}

type Ask = (address?: string) => EgressVerdict;

function questions({ settings, clock, kept }: Desk, destination: Destination): Ask {
  const isKnown = kept.book.isKnown(destinationText(destination));
  const { rules, clock: zone } = settings();
  const atUnixMs = clock.nowUnixMs();
  const facts: EgressFacts = { isKnown, sentBytes: 0, receivedBytes: 0, atUnixMs, clock: zone(atUnixMs) };
  return (text) => {
    if (text === undefined) return decideEgress({ destination, facts }, rules);
    const address = parseAddress(text);
    if (address === undefined) return { kind: "deny", because: "Its address can't be read." };
    return decideEgress({ destination, address, isOwnAddress: isOwn(text), facts }, rules);
  };
}

/** Those of a name's addresses that may be dialled, all by one verdict; or why none may. */
async function addressesOf(
  destination: Destination,
  ask: Ask,
  resolve: Resolve,
): Promise<{ readonly addresses: readonly string[]; readonly verdict: EgressVerdict }> {
  const { host, literal } = destination;
  const found = literal === undefined ? (await resolve(host)).slice(0, maxAddresses) : [host];
  const judged = found.map((address) => ({ address, verdict: ask(address) }));
  const best =
    judged.find(({ verdict }) => verdict.kind === "allow") ??
    judged.find(({ verdict }) => verdict.kind === "learn") ??
    judged[0];
  if (best === undefined) throw new EgressRefusal(502, `There is no address for ${host}.`);
  const { verdict } = best;
  const same = judged.filter(
    (each) => each.verdict.kind === verdict.kind && each.verdict.rule === verdict.rule,
  );
  return { addresses: same.map(({ address }) => address), verdict };
}

/** What listens on all of this machine's addresses is reached by its public ones, too. */
function isOwn(text: string): boolean {
  const address = parseAddress(text);
  return Object.values(networkInterfaces())
    .flatMap((each) => each ?? [])
    .some((own) => {
      const parsed = parseAddress(own.address);
      return parsed?.version === address?.version && parsed?.bits === address?.bits;
    });
}

function endTo(open: ReadonlyMap<Crossing, CrossingAbout>, name: string, because: string): void {
  for (const [crossing, { destination }] of open)
    if (destinationText(destination) === name) crossing.ended(because);
}

function paced(): (nowUnixMs: number) => boolean {
  let minute = 0;
  let count = 0;
  return (nowUnixMs) => {
    const now = Math.floor(nowUnixMs / minuteMs);
    if (now !== minute) [minute, count] = [now, 0];
    count += 1;
    return count <= maxPerMinute;
  };
}
