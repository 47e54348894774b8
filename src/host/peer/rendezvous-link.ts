/** A peer's link to its rendezvous: opened from the peer's own port, so that the rendezvous sees what others would. */
import type { X509Certificate } from "node:crypto";
import type net from "node:net";
import tls from "node:tls";

import { certificateFacts } from "../../crypto/certificate.ts";
import type { PublicKey } from "../../crypto/keys.ts";
import {
  type SignatureSuite,
  signatureSuite,
  type SignatureSuiteId,
} from "../../crypto/suites/signatures.ts";
import type { LinkTerms } from "../../crypto/suites/in-force.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { lineReader } from "../../wire/lines.ts";
import {
  asWord,
  type Mapping,
  maxRendezvousLineBytes,
  type PeerWord,
  type Place,
  readRendezvousWord,
  type RendezvousWord,
} from "../../wire/rendezvous.ts";
import { onAbort } from "../on-abort.ts";
import { rendezvousAlpn } from "../net/front-door.ts";
import { numericAddress } from "../net/segment-size.ts";
import { negotiatedGroup } from "../net/tls.ts";
import { within } from "../within.ts";
import type { PeerPort } from "./peer-port.ts";
import { endIfSilent } from "./silent-link.ts";

/** A rendezvous, which relays too. */
export interface RendezvousPlace {
  readonly host: string;
  readonly port: number;
  readonly spiffeId: string;
}

export interface RendezvousLink {
  readonly of: RendezvousPlace;
  /** Its numeric address. */
  readonly address: Place;
  /** Where it sees this peer. */
  readonly seen: Place;
  /** Whether others see this peer there, too. */
  readonly mapping: Mapping;
  /** What this end showed of itself. */
  readonly certificate: X509Certificate;
  /** With which it signs introductions. */
  readonly signer: {
    readonly spiffeId: string;
    readonly suite: SignatureSuite;
    readonly publicKey: PublicKey;
  };
  readonly say: (word: PeerWord) => void;
  /** Asks to be introduced. @throws Refusal `no_such_server` if nobody of that name is there for this caller */
  readonly dial: (call: PeerCall, signal: AbortSignal) => Promise<Introduced>;
  /** Called with each word that answers no question; one at a time may listen. */
  readonly onWord: (hear: (word: RendezvousWord) => void) => void;
  /** Settles when the link is over. */
  readonly over: Promise<void>;
  readonly close: () => void;
}

type PeerCall = Omit<PeerWord & { say: "dial" }, "say" | "id" | "mapping">;
type Introduced = RendezvousWord & { say: "introduced" };

interface RendezvousLinkOptions {
  readonly at: RendezvousPlace;
  readonly port: PeerPort;
  /** Of `clientTlsOptions`, for that rendezvous. */
  readonly tls: tls.ConnectionOptions;
  readonly terms: LinkTerms;
  readonly signal: AbortSignal;
}

const openMs = 8000;
const probeMs = 2000;
/** A NAT forgets a silent connection after minutes at best, and a dead one is noticed by what isn't answered. */
const pingMs = 5000;
const silenceMs = 12_000;

/** @throws Refusal `upstream_failed` if there is no such rendezvous, or what the connection failed with */
export async function openRendezvousLink(options: RendezvousLinkOptions): Promise<RendezvousLink> {
  const { at, port, signal } = options;
  const { host } = await numericAddress(at.host);
  const address = { host, port: at.port };
  const raw = await port.dial(address, { timeoutMs: openMs, signal });
  const link = await secured(raw, options);
  const words = wordsOf(link);
  const welcome = await words.first(openMs);
  if (welcome?.say !== "welcome") {
    link.destroy();
    throw new Refusal("upstream_failed", `${at.host}:${at.port} doesn't speak as a rendezvous does.`);
  }
  const seen = welcome.seen;
  const probe = welcome.probe === undefined ? undefined : { host, port: welcome.probe };
  const mapping = probe === undefined ? "unknown" : await mappingBy(probe, seen, options);
  const stop = onAbort(signal, () => link.destroy());
  const over = new Promise<void>((resolve) => link.once("close", () => resolve()));
  const say = (word: PeerWord): void => void (link.destroyed || link.write(asWord(word)));
  const pinging = setInterval(() => say({ say: "ping" }), pingMs).unref();
  endIfSilent(link, silenceMs);
  link.once("close", () => {
    clearInterval(pinging);
    stop();
  });
  const calls = openCalls(over, () => link.destroy());
  let hear: (word: RendezvousWord) => void = () => {};
  words.onWord((word) => {
    if (!calls.answered(word)) hear(word);
  });
  return {
    of: at,
    address,
    seen,
    mapping,
    certificate: shownBy(link),
    signer: signerOf(link, at.spiffeId),
    say,
    dial: (call, callSignal) => calls.ask((id) => say({ say: "dial", id, ...call, mapping }), callSignal),
    onWord: (next) => (hear = next),
    over,
    close: () => link.destroy(),
  };
}

async function secured(
  raw: net.Socket,
  { at, tls: options, terms }: RendezvousLinkOptions,
): Promise<tls.TLSSocket> {
  const link = tls.connect({ ...options, ALPNProtocols: [rendezvousAlpn], host: at.host, socket: raw });
  link.on("error", () => link.destroy());
  const ready = new Promise<void>((resolve, reject) => {
    link.once("secureConnect", resolve);
    link.once("error", reject);
    link.once("close", () => reject(new Error("The rendezvous closed the link.")));
  });
  try {
    if (!(await within(ready, openMs))) throw new Error("The handshake wasn't done in time.");
    negotiatedGroup(link, terms);
    return link;
  } catch (error) {
    link.destroy();
    throw error;
  }
}

interface Calls {
  readonly ask: (say: (id: number) => void, signal: AbortSignal) => Promise<Introduced>;
  /** Whether that word answers one. */
  readonly answered: (word: RendezvousWord) => boolean;
}

/** Questions and their answers, by number. @param unanswered ends a link on which one isn't answered in time */
function openCalls(over: Promise<void>, unanswered: () => void): Calls {
  const asked = new Map<number, (word: RendezvousWord | undefined) => void>();
  let last = 0;
  void over.then(() => asked.forEach((settle) => settle(undefined)));
  const ask: Calls["ask"] = async (say, signal) => {
    const id = (last += 1);
    const { promise, resolve } = Promise.withResolvers<RendezvousWord | undefined>();
    asked.set(id, resolve);
    const stop = onAbort(signal, () => resolve(undefined));
    say(id);
    const isInTime = await within(promise, answerMs);
    asked.delete(id);
    stop();
    if (!isInTime) unanswered();
    const word = isInTime ? await promise : undefined;
    if (word?.say === "introduced") return word;
    if (word?.say === "refused") throw new Refusal("no_such_server", word.why);
    throw new Refusal("upstream_failed", "The rendezvous doesn't answer.");
  };
  return {
    ask,
    answered: (word) => {
      if (!("id" in word) || word.id === undefined) return false;
      asked.get(word.id)?.(word);
      return true;
    },
  };
}

const answerMs = 8000;

interface Words {
  /** The first one; undefined if none comes in time. */
  readonly first: (ms: number) => Promise<RendezvousWord | undefined>;
  readonly onWord: RendezvousLink["onWord"];
}

/** Those that come before anybody listens are kept: a rendezvous that heaps them up is cut. */
function wordsOf(link: tls.TLSSocket): Words {
  const reader = lineReader(maxRendezvousLineBytes);
  const kept: RendezvousWord[] = [];
  let hear: ((word: RendezvousWord) => void) | undefined;
  const deliver = (): void => {
    if (hear === undefined) return;
    const [next] = kept.splice(0, 1);
    if (next === undefined) return;
    hear(next);
    deliver(); // Whoever heard it may not want the next one.
  };
  link.on("data", (chunk: Buffer) => {
    try {
      for (const line of reader.push(chunk)) kept.push(readRendezvousWord(line));
      deliver();
      if (kept.length > maxKeptWords) throw new Refusal("too_large", "The rendezvous says too much at once.");
    } catch (error) {
      link.destroy(error instanceof Error ? error : undefined);
    }
  });
  const onWord: Words["onWord"] = (next) => {
    hear = next;
    deliver();
  };
  const first = async (ms: number): Promise<RendezvousWord | undefined> => {
    const { promise, resolve } = Promise.withResolvers<RendezvousWord | undefined>();
    link.once("close", () => resolve(undefined));
    onWord((word) => {
      hear = undefined;
      resolve(word);
    });
    return (await within(promise, ms)) ? await promise : undefined;
  };
  return { first, onWord };
}

const maxKeptWords = 64;

function shownBy(link: tls.TLSSocket): X509Certificate {
  const certificate = link.getX509Certificate();
  if (certificate === undefined) throw new Error("a link of this side has its certificate");
  return certificate;
}

function signerOf(link: tls.TLSSocket, spiffeId: string): RendezvousLink["signer"] {
  const certificate = link.getPeerX509Certificate();
  if (certificate === undefined) throw new Refusal("bad_certificate", "The rendezvous shows no certificate.");
  const { keyAlgorithm } = certificateFacts(certificate);
  return {
    spiffeId,
    suite: signatureSuite(keyAlgorithm as SignatureSuiteId),
    publicKey: certificate.publicKey,
  };
}

/** Asks at another port of the same machine: a NAT with mappings that depend on the destination shows another one. */
async function mappingBy(
  probe: Place,
  seen: Place,
  { port, signal }: RendezvousLinkOptions,
): Promise<Mapping> {
  try {
    const socket = await port.dial(probe, { timeoutMs: probeMs, signal });
    const told = await allOf(socket);
    if (told === "") return "unknown";
    return told === `${seen.host} ${seen.port}` ? "same" : "differs";
  } catch {
    return "unknown";
  }
}

/** What somebody says before it closes, if that is short. */
async function allOf(socket: net.Socket): Promise<string> {
  let text = "";
  const done = new Promise<void>((resolve) => {
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
      if (text.length > maxProbeBytes) socket.destroy();
    });
    socket.once("close", () => resolve());
  });
  const isWhole = await within(done, probeMs);
  socket.destroy();
  return isWhole && text.length <= maxProbeBytes ? text : "";
}

/** An address and a port. */
const maxProbeBytes = 64;
