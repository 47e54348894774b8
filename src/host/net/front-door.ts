/**
 * The front door: reads the ClientHello before any key operation and hands the connection, unread
 * bytes put back once, to the TLS server of the one group both sides know. Everyone else gets a TLS
 * alert and one log line.
 */
import net from "node:net";
import type tls from "node:tls";

import { groupNumbered, type KeyExchangeSuite } from "../../crypto/suites/key-exchange.ts";
import type { SignatureSuite } from "../../crypto/suites/signatures.ts";
import { whyNoSignature } from "../../crypto/suites/tls-signatures.ts";
import type { Log } from "../../kernel/log.ts";
import type { Offer } from "../../model/offer.ts";
import { offerOf } from "../../identity/hello-offer.ts";
import { type ClientHello, peekClientHello } from "../../wire/client-hello.ts";
import { type Arrivals, arrivals } from "./arrivals.ts";

/** ALPN name of the enrolment protocol (docs/formats/enrolment.md). */
export const enrolAlpn = "latticegate-enrol";

/** ALPN name of what peers and their rendezvous say to each other (docs/formats/peer.md). */
export const rendezvousAlpn = "latticegate-rendezvous";

/** ALPN name of commands that ask the control room of another machine. */
export const controlAlpn = "latticegate-control";

/** ALPN name of the list of revoked certificates (docs/formats/revocations.md). */
export const revocationsAlpn = "latticegate-revocations";

export interface Door {
  readonly group: KeyExchangeSuite;
  /** What peers with an identity have to have one of; absent where certificates may be of any kind. */
  readonly signatures?: readonly SignatureSuite[];
  /** For peers that prove who they are; absent where only newcomers may use this group. */
  readonly admitted?: tls.Server;
  /** For peers that come to get an identity; absent where none are given out. */
  readonly enrol?: tls.Server;
  /** For servers that ask which certificates are revoked; absent where nobody knows. */
  readonly revocations?: tls.Server;
  /** For people's commands; absent where the control room isn't served. */
  readonly control?: tls.Server;
  /** For peers who were introduced; absent where nobody is. */
  readonly peers?: tls.Server;
  /** For peers who ask to be introduced; absent where nobody introduces them. */
  readonly rendezvous?: tls.Server;
}

export interface FrontDoorOptions {
  /** Those of the moment, in order of preference. */
  readonly doors: () => readonly Door[];
  readonly log: Log;
  readonly limits?: Partial<HelloLimits>;
  /** Whom a client that is refused may be, for the log: nobody proved it. */
  readonly suspect?: (address: string, offer: Offer) => string | undefined;
  /** Why a client that would be let on isn't, by what the operator says of connections; undefined where it is. */
  readonly denies?: (remote: string, offer: Offer) => string | undefined;
  readonly nameOf?: NameOf | undefined;
}

/** What a connection is called while it lasts: no two at once the same; by default its remote address and port. */
export type NameOf = (socket: net.Socket) => string;

interface HelloLimits {
  readonly helloTimeoutMs: number;
  /** A hello with four hybrid key shares is about 5 KiB. */
  readonly helloBytes: number;
  /** Connections whose peer hasn't proven who it is, at once, in all and from one address. */
  readonly strangers: number;
  readonly strangersPerAddress: number;
}

const defaultLimits: HelloLimits = {
  helloTimeoutMs: 3000,
  helloBytes: 16_384,
  strangers: 1024,
  strangersPerAddress: 256,
};

/** Connections in all: those of proven peers are bounded too, so that descriptors are left for the rest. */
const maxConnections = 8192;

/** How long a link is silent before TCP asks whether its other end is there; the other side asks as often. */
const keepAliveMs = 60_000;

/** TLS 1.3 alerts (RFC 8446 §6), level fatal. */
const alerts = { handshakeFailure: 40, accessDenied: 49, decodeError: 50, recordOverflow: 22 } as const;
type Alert = keyof typeof alerts;

export interface FrontDoor {
  readonly server: net.Server;
  /** The peer at this remote address and port has proven who it is. */
  readonly proven: (remote: string) => void;
  /** The handshake of this link is done, and its peer proven. @returns it with what its client offered */
  readonly arrived: <Link extends { readonly remote: string }>(
    link: Link,
  ) => Link & { readonly offer?: Offer };
}

export function frontDoor(options: FrontDoorOptions): FrontDoor {
  const limits = { ...defaultLimits, ...options.limits };
  const strangers = new Strangers();
  const coming = arrivals();
  // A silent stream says nothing for hours, and a peer whose network went away never says that it did.
  const kept = { keepAlive: true, keepAliveInitialDelay: keepAliveMs };
  const { nameOf = remoteOf } = options;
  const server = net.createServer({ noDelay: true, ...kept }, (socket) => {
    const address = socket.remoteAddress ?? "unknown";
    const remote = nameOf(socket);
    if (strangers.count >= limits.strangers || strangers.from(address) >= limits.strangersPerAddress) {
      options.log.warn("link.refused", {
        remote,
        reason: "too many connections that haven't proven who they are",
      });
      socket.destroy();
      return;
    }
    strangers.add(remote, address);
    socket.once("close", () => strangers.delete(remote));
    awaitHello(socket, limits, (verdict) => settle(socket, verdict, options, coming));
  });
  server.maxConnections = maxConnections;
  return {
    server,
    proven: (remote) => strangers.delete(remote),
    arrived: (link) => {
      const offer = coming.arrived(link.remote);
      return { ...link, ...(offer && { offer }) };
    },
  };
}

/** Open connections whose peer is unknown yet, counted by address. */
class Strangers {
  readonly #addresses = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  get count(): number {
    return this.#addresses.size;
  }

  from(address: string): number {
    return this.#counts.get(address) ?? 0;
  }

  add(remote: string, address: string): void {
    this.#addresses.set(remote, address);
    this.#counts.set(address, this.from(address) + 1);
  }

  delete(remote: string): void {
    const address = this.#addresses.get(remote);
    if (address === undefined) return;
    this.#addresses.delete(remote);
    const left = this.from(address) - 1;
    if (left === 0) this.#counts.delete(address);
    else this.#counts.set(address, left);
  }
}

type Verdict =
  | { readonly kind: "hello"; readonly hello: ClientHello; readonly bytes: Buffer }
  | { readonly kind: "refused"; readonly reason: string; readonly alert?: Alert };

/** Calls `done` once, when there is a whole hello or a reason why there won't be one. */
function awaitHello(socket: net.Socket, limits: HelloLimits, done: (verdict: Verdict) => void): void {
  const chunks: Buffer[] = [];
  let have = 0;
  let need = 5;
  const finish = (verdict: Verdict): void => {
    clearTimeout(timer);
    socket.off("readable", onReadable).off("end", onEnd).off("error", onError).off("close", onEnd);
    done(verdict);
  };
  const onEnd = (): void => finish({ kind: "refused", reason: "closed before its hello was complete" });
  const onError = (error: Error): void => finish({ kind: "refused", reason: error.message });
  const onReadable = (): void => {
    // INVARIANT: never unshift here before the hello is whole; that re-emits "readable" for ever.
    for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) {
      chunks.push(chunk);
      have += chunk.length;
    }
    if (have < need) return;
    const bytes = Buffer.concat(chunks, have);
    const peek = peekClientHello(bytes, limits.helloBytes);
    if (peek.kind === "hello") finish({ kind: "hello", hello: peek.hello, bytes });
    else if (peek.kind === "need-more") need = peek.atLeastBytes;
    else if (peek.kind === "not-tls") finish({ kind: "refused", reason: `not TLS: ${peek.reason}` });
    else
      finish({
        kind: "refused",
        reason: peek.reason,
        alert: peek.kind === "too-big" ? "recordOverflow" : "decodeError",
      });
  };
  const timer = setTimeout(
    () => finish({ kind: "refused", reason: "no complete ClientHello in time" }),
    limits.helloTimeoutMs,
  );
  socket.on("readable", onReadable).on("end", onEnd).on("error", onError).on("close", onEnd);
}

function settle(socket: net.Socket, verdict: Verdict, options: FrontDoorOptions, coming: Arrivals): void {
  const remote = (options.nameOf ?? remoteOf)(socket);
  const target = verdict.kind === "hello" ? choose(verdict.hello, options.doors()) : verdict;
  if ("reason" in target) {
    const suspicion =
      verdict.kind === "hello"
        ? options.suspect?.(socket.remoteAddress ?? "unknown", offerOf(verdict.hello))
        : undefined;
    options.log.warn("link.refused", { remote, reason: target.reason, ...(suspicion && { suspicion }) });
    refuse(socket, target.alert);
    return;
  }
  if (verdict.kind !== "hello") return;
  const denied = options.denies?.(remote, offerOf(verdict.hello));
  if (denied !== undefined) {
    options.log.warn("link.refused", { remote, reason: denied });
    refuse(socket, "accessDenied");
    return;
  }
  if (target.proves) coming.came(socket, remote, verdict.hello);
  socket.unshift(verdict.bytes);
  target.server.emit("connection", socket);
}

/** What a client comes for, by its ALPN. */
type Errand = "admitted" | "control" | "enrol" | "revocations";

const errands = [
  {
    alpn: enrolAlpn,
    errand: "enrol",
    what: "an identity",
    absent: "asked to enrol where no identities are given out",
  },
  {
    alpn: controlAlpn,
    errand: "control",
    what: "the control room",
    absent: "asked for the control room where it isn't",
  },
  {
    alpn: revocationsAlpn,
    errand: "revocations",
    what: "revocations",
    absent: "asked for revocations where none are known",
  },
] as const satisfies readonly {
  readonly alpn: string;
  readonly errand: Errand;
  readonly what: string;
  readonly absent: string;
}[];

function choose(
  hello: ClientHello,
  doors: readonly Door[],
):
  | { readonly server: tls.Server; readonly proves: boolean }
  | { readonly reason: string; readonly alert: Alert } {
  const refused = (reason: string) => ({ reason, alert: "handshakeFailure" }) as const;
  if (!hello.versions.includes(0x0304)) return refused("no TLS 1.3 offered");
  const asked = errands.find(({ alpn }) => hello.alpn.includes(alpn));
  const errand: Errand = asked?.errand ?? "admitted";
  if (asked !== undefined && doors.every((door) => door[errand] === undefined)) return refused(asked.absent);
  const offered = doors.filter(({ group }) => hello.groups.includes(group.groupId));
  const door = offered.find((each) => each[errand] !== undefined);
  const server = door?.[errand];
  if (door === undefined || server === undefined) {
    if (asked !== undefined && offered.length > 0)
      return refused(`asked for ${asked.what} without a post-quantum group`);
    const isOpen = doors.some(({ group }) => group.kind === "classical");
    const what = isOpen ? "no group offered that is taken here" : "no post-quantum group offered";
    return refused(`${what} (${hello.groups.map(groupName).join(", ")})`);
  }
  const weakness = errand === "enrol" ? undefined : whyNoIdentity(hello, door);
  return weakness === undefined ? { server, proves: errand !== "enrol" } : refused(weakness);
}

function groupName(groupId: number): string {
  return groupNumbered(groupId)?.id ?? `0x${groupId.toString(16).padStart(4, "0")}`;
}

/** TLS would find out as well, after it had computed a key and without saying why. */
function whyNoIdentity({ signatureSchemes }: ClientHello, { signatures }: Door): string | undefined {
  return signatures === undefined ? undefined : whyNoSignature(signatureSchemes, signatures);
}

function refuse(socket: net.Socket, alert: Alert | undefined): void {
  socket.on("error", () => socket.destroy());
  if (alert === undefined) {
    socket.destroy();
    return;
  }
  socket.end(Buffer.from([21, 3, 3, 0, 2, 2, alerts[alert]]), () => socket.destroy());
}

/** How a connection is named in the log: the peer's address and port. */
export function remoteOf(socket: net.Socket): string {
  return `${socket.remoteAddress ?? "unknown"}:${socket.remotePort ?? 0}`;
}
