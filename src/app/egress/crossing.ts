/** One connection that a server made by itself, from its opening to its end: counted, watched, and ended in the middle where it has to be. */
import { type Burst, burstIn, burstInWords, sizeText } from "../../detect/egress/burst.ts";
import { hourOfWeek } from "../../detect/egress/destination-memory.ts";
import { groupNumbered } from "../../crypto/suites/key-exchange.ts";
import { parseAddress } from "../../expr/network.ts";
import type { Crossing } from "../../host/egress/egress-desk.ts";
import type { EgressStore } from "../../host/store/state-egress.ts";
import { offerOf } from "../../identity/hello-offer.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { printable } from "../../kernel/printable.ts";
import { type Destination, destinationText } from "../../policy/egress/destination.ts";
import { asksForBytes, decideEgress } from "../../policy/egress/egress-rules.ts";
import type { ClientHello } from "../../wire/client-hello.ts";
import type { EgressSettings } from "./egress-file.ts";
import type { KeptBook } from "./egress-memory.ts";
import type { EgressRecords } from "./egress-records.ts";

export interface CrossingAbout {
  readonly callId: string;
  readonly destination: Destination;
  readonly how: "tunnel" | "http";
  readonly verdict: { readonly kind: "allow" | "learn"; readonly rule: string };
  readonly addresses: readonly string[];
}

export interface CrossingOptions {
  readonly server: string;
  readonly settings: () => EgressSettings;
  readonly store: Pick<EgressStore, "block">;
  readonly kept: KeptBook;
  readonly records: Pick<EgressRecords, "closed" | "cut">;
  readonly clock: Clock;
  readonly log: Log;
  readonly onEnd: (crossing: Crossing) => void;
  /** Ends what else is open to a destination that was blocked. */
  readonly endOthers: (destination: string, because: string) => void;
}

/** What is known of it so far. */
interface Going {
  readonly beganUnixMs: number;
  address: string;
  sent: number;
  received: number;
  /** When the rules were asked last, and which. */
  askedMinute: number;
  askedOf: EgressSettings;
  /** Of its first message, if that was TLS. */
  hello: Readonly<Record<string, string>>;
  because: string | undefined;
  isCut: boolean;
  isUnusual: boolean;
  isOver: boolean;
}

const minuteMs = 60_000;

export function openCrossing(about: CrossingAbout, options: CrossingOptions): Crossing {
  const { clock, kept } = options;
  const going: Going = {
    beganUnixMs: clock.nowUnixMs(),
    address: "",
    sent: 0,
    received: 0,
    askedMinute: Math.floor(clock.nowUnixMs() / minuteMs),
    askedOf: options.settings(),
    hello: {},
    because: undefined,
    isCut: false,
    isUnusual: false,
    isOver: false,
  };
  const stop = (because: string): string => (going.because ??= because);
  const crossing: Crossing = {
    addresses: about.addresses,
    reached: (address) => void (going.address = address),
    began: (hello) => {
      going.hello = hello === undefined ? { tls: "none" } : helloFacts(hello);
      const because = whyFalse(hello, about.destination);
      return because === undefined ? undefined : stop(because);
    },
    moved: (way, bytes) => {
      if (going.because !== undefined) return going.because;
      going[way] += bytes;
      const denied = whyDenied(about, going, options);
      if (denied !== undefined) {
        going[way] -= bytes;
        return stop(denied);
      }
      const burst = burstAfter(about.destination, { way, bytes }, options);
      if (burst === undefined) return undefined;
      if (about.verdict.kind === "learn") {
        // What breaks the bound doesn't go on itself.
        going.sent -= bytes;
        return stop(cut(about, going, burst, options));
      }
      note(about, going, burst, options);
      return undefined;
    },
    ended: (because) => {
      if (going.isOver) return;
      going.isOver = true;
      if (because !== undefined) stop(because);
      options.onEnd(crossing);
      learn(about.destination, going, options);
      kept.changed();
      options.records.closed(about.callId, closingFacts(about, going, clock.nowUnixMs()));
    },
  };
  return crossing;
}

/** Rules that ask for bytes are asked with each chunk, all others once a minute, as hours end; and new ones at once. */
function whyDenied(
  { destination }: CrossingAbout,
  going: Going,
  { settings, clock, kept }: CrossingOptions,
): string | undefined {
  const current = settings();
  const { rules, clock: zone } = current;
  const atUnixMs = clock.nowUnixMs();
  const minute = Math.floor(atUnixMs / minuteMs);
  const isAsked = minute === going.askedMinute && current === going.askedOf;
  if (isAsked && !asksForBytes(rules)) return undefined;
  [going.askedMinute, going.askedOf] = [minute, current];
  const address = parseAddress(going.address);
  const verdict = decideEgress(
    {
      destination,
      ...(address && { address }),
      facts: {
        isKnown: kept.book.isKnown(destinationText(destination)),
        sentBytes: going.sent,
        receivedBytes: going.received,
        atUnixMs,
        clock: zone(atUnixMs),
      },
    },
    rules,
  );
  return verdict.kind === "deny" ? verdict.because : undefined;
}

function burstAfter(
  destination: Destination,
  { way, bytes }: { readonly way: "sent" | "received"; readonly bytes: number },
  { settings, clock, kept }: CrossingOptions,
): Burst | undefined {
  const now = clock.nowUnixMs();
  const { clock: zone, budgetBytes } = settings();
  const moved = { sent: 0, received: 0, [way]: bytes };
  const memory = kept.book.moved(destinationText(destination), moved, now);
  kept.changed();
  if (way === "received") return undefined;
  return burstIn({ memory, hours: kept.book.hours, hourOfWeek: hourOfWeek(zone(now)), budgetBytes });
}

/** @returns the explanation */
function cut(about: CrossingAbout, going: Going, burst: Burst, options: CrossingOptions): string {
  const { store, kept, records, clock, log } = options;
  const destination = destinationText(about.destination);
  const says = wordsOf(about, going, burst, options);
  going.isCut = true;
  kept.book.forget(destination);
  try {
    store.block({ destination, sinceUnixMs: clock.nowUnixMs(), because: says });
  } catch (error) {
    log.error("egress.unblocked", {
      destination,
      reason: error instanceof Error ? error.message : "unknown",
    });
  }
  const done = `The connection was cut after ${sizeText(going.sent)}, and ${destination} is refused until "latticegate egress lift ${destination}".`;
  records.cut(about.callId, {
    destination,
    address: going.address,
    kind: burst.kind,
    sent: String(burst.sentBytes),
    received: String(burst.receivedBytes),
    allowed: String(burst.allowedBytes),
    says: `${says} ${done}`,
  });
  queueMicrotask(() => options.endOthers(destination, says));
  return says;
}

/** Where a rule allows it, what is unusual is told and goes on; once for each connection. */
function note(about: CrossingAbout, going: Going, burst: Burst, options: CrossingOptions): void {
  if (going.isUnusual || burst.kind === "budget") return;
  going.isUnusual = true;
  options.log.warn("egress.unusual", {
    destination: destinationText(about.destination),
    rule: about.verdict.rule,
    says: `${wordsOf(about, going, burst, options)} Rule "${about.verdict.rule}" allows it all the same.`,
  });
}

const weekdays = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

function wordsOf(
  { destination }: CrossingAbout,
  { address }: Going,
  burst: Burst,
  { server, settings, clock }: CrossingOptions,
): string {
  const { clock: clockOf, zone } = settings();
  const { weekday, hour, minute } = clockOf(clock.nowUnixMs());
  const twoDigits = (value: number): string => String(value).padStart(2, "0");
  const when = `on ${weekdays[weekday] ?? ""} at ${twoDigits(hour)}:${twoDigits(minute)} (${zone})`;
  return burstInWords(burst, { server, destination: destinationText(destination), address, when });
}

/** Nothing is learned from what was cut, denied or never came about. */
function learn(destination: Destination, going: Going, { kept, settings, clock }: CrossingOptions): void {
  if (going.isCut || going.because !== undefined || going.address === "") return;
  const nowUnixMs = clock.nowUnixMs();
  kept.book.ended(
    destinationText(destination),
    { sentBytes: going.sent, hourOfWeek: hourOfWeek(settings().clock(nowUnixMs)) },
    { beganUnixMs: going.beganUnixMs, nowUnixMs },
  );
}

function closingFacts(
  { destination, how, verdict }: CrossingAbout,
  going: Going,
  nowUnixMs: number,
): Readonly<Record<string, string>> {
  const { beganUnixMs, address, sent, received, hello, because, isUnusual } = going;
  return {
    destination: destinationText(destination),
    ...(address !== "" && { address }),
    how,
    rule: verdict.rule,
    began: new Date(beganUnixMs).toISOString(),
    ms: String(Math.max(0, nowUnixMs - beganUnixMs)),
    sent: String(sent),
    received: String(received),
    ...hello,
    ...(isUnusual && { unusual: "burst" }),
    ...(because !== undefined && { because }),
  };
}

/** A tunnel to one place and a hello to another is a way past the rules; port 443 without TLS is one past the record. */
function whyFalse(hello: ClientHello | undefined, destination: Destination): string | undefined {
  if (hello === undefined)
    return destination.port === 443 ? "It is no TLS, and at port 443 nothing else goes through." : undefined;
  const named = hello.serverName?.toLowerCase().replace(/\.$/, "");
  if (named === undefined || named === destination.host) return undefined;
  return `Its TLS names ${printable(named, 253)}, and the proxy was asked for ${destination.host}.`;
}

const maxNamed = 16;

function helloFacts(hello: ClientHello): Readonly<Record<string, string>> {
  const { fingerprint, groups, keyShares, serverName } = offerOf(hello);
  return {
    server_name: printable(serverName ?? "", 253),
    ja4: fingerprint.ja4,
    groups: groupNames(groups),
    key_shares: groupNames(keyShares),
  };
}

function groupNames(ids: readonly number[]): string {
  const shown = ids
    .slice(0, maxNamed)
    .map((id) => groupNumbered(id)?.id ?? `0x${id.toString(16).padStart(4, "0")}`);
  return shown.join(" ");
}
