/** `latticegate relay`: introduces peers to each other as rules say, and carries what can't go directly, unread. */
import net from "node:net";

import { parseCertificate, certificateFacts } from "../../crypto/certificate.ts";
import { type SigningKey, signingKeyOf } from "../../crypto/keys.ts";
import { isSignatureSuiteId, signatureSuite } from "../../crypto/suites/signatures.ts";
import { openRendezvous, type RegisteredPeer, type Rendezvous } from "../../host/peer/rendezvous.ts";
import { openSplices, type Spliced, type SpliceLimits } from "../../host/peer/splices.ts";
import { relayPort } from "../../host/peer/relay-port.ts";
import { type Door, frontDoor } from "../../host/net/front-door.ts";
import { hostAndPort, listen } from "../../host/net/listen.ts";
import { type Credentials, openDoors, type ServerSide } from "../../host/net/tls.ts";
import { type Trust, whyEnded } from "../../identity/admission.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { decideMeetings, type Segments } from "../../policy/segments.ts";
import type { Bootstrap } from "../bootstrap.ts";
import { type RelayWatch, watchRelayed } from "./relay-watch.ts";
import { followRevocations } from "../follow-revocations.ts";
import { hashesOf } from "../roots.ts";
import { openSidecarIdentity, type SidecarIdentity } from "../sidecar-identity.ts";

export interface RelayOptions {
  /** `host:port`; port 0 takes a free one. The next port tells peers what their NAT shows to others. */
  readonly listen: string;
  readonly segments: () => Segments;
  readonly limits?: Partial<SpliceLimits>;
  readonly state: string;
  readonly joinToken?: string;
  readonly bootstrap?: Bootstrap;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Relay {
  /** `host:port` as bound. */
  readonly address: string;
  readonly name: string;
  readonly spiffeId: string;
  readonly peers: () => readonly RegisteredPeer[];
  readonly streams: () => readonly Spliced[];
  /** What passes, without a key. */
  readonly watch: Pick<RelayWatch, "findings" | "totals">;
  /** Takes up rules that have changed: streams that they don't allow any more end. */
  readonly refresh: () => void;
  readonly stop: () => Promise<void>;
}

const reviewMs = 500;

/** @throws Refusal that says what keeps it from starting; nothing is left open then */
export async function startRelay(options: RelayOptions): Promise<Relay> {
  const { state, clock, log } = options;
  await using opening = new AsyncDisposableStack();
  const identity = await openSidecarIdentity({ ...options, joinToken: options.joinToken });
  opening.defer(identity.stop);
  const name = nameOf(identity.spiffeId);
  const revocations = await followRevocations({ identity, state, clock, log });
  opening.defer(revocations.stop);
  let decide = decideMeetings(options.segments());
  const watch = watchRelayed({ clock, log });
  const splices = openSplices({
    clock,
    log,
    limits: options.limits ?? {},
    onPassed: watch.passed,
    onOver: watch.over,
  });
  let probePort: number | undefined;
  const rendezvous = openRendezvous({
    spiffeId: identity.spiffeId,
    signing: () => signerOf(identity.credentials()),
    decide: () => decide,
    splices,
    probePort: () => probePort,
    clock,
    log,
  });
  opening.defer(rendezvous.close);
  const trust = (): Trust => trustOf(identity, revocations.serials());
  const gate = openGate({ identity, trust, clock, log }, rendezvous.serve);
  const server = relayPort({ onTls: gate.take, onSplice: splices.take });
  opening.defer(() => void server.close());
  const address = await listen(server, options.listen);
  const probe = net.createServer(tellAddress);
  opening.defer(() => void probe.close());
  probePort = await listenBeside(probe, address, log);
  const review = (): void => {
    const nowUnixMs = clock.nowUnixMs();
    rendezvous.review((channel) => whyEnded(channel, { ...trust(), issuers: "any" }, nowUnixMs));
  };
  const timer = setInterval(review, reviewMs).unref();
  opening.defer(() => clearInterval(timer));
  identity.onRenewed(gate.renew);
  revocations.onChange(review);
  const opened = opening.move();
  return {
    address,
    name,
    spiffeId: identity.spiffeId,
    peers: rendezvous.peers,
    streams: splices.list,
    watch,
    refresh: () => {
      decide = decideMeetings(options.segments());
      splices.cut((ends) => !decide(ends).isAllowed);
    },
    stop: () => opened.disposeAsync(),
  };
}

interface GateOptions {
  readonly identity: SidecarIdentity;
  readonly trust: () => Trust;
  readonly clock: Clock;
  readonly log: Log;
}

/** Lets peers in who prove who they are, and nobody else. */
export function openGate(
  { identity, trust, clock, log }: GateOptions,
  serve: Rendezvous["serve"],
): { readonly take: (socket: net.Socket) => void; readonly renew: () => void } {
  const { doors, renew } = openDoors({
    side: sideOf(identity),
    trust,
    log,
    clock,
    onLink: (link) => link.destroy(), // Nothing is called here.
    onRendezvous: (link, channel) => {
      door.proven(channel.remote);
      serve(link, channel);
    },
  });
  const forPeers = ({ group, signatures, rendezvous }: Door): Door => ({
    group,
    ...(signatures && { signatures }),
    ...(rendezvous && { admitted: rendezvous }),
  });
  const door = frontDoor({ doors: () => doors().map(forPeers), log });
  return {
    take: (socket) => void door.server.emit("connection", socket),
    renew: () => renew(sideOf(identity)),
  };
}

/** One that can't be had costs peers no more than the reason why they are relayed. */
async function listenBeside(probe: net.Server, address: string, log: Log): Promise<number | undefined> {
  const { host, port } = hostAndPort(address);
  try {
    return hostAndPort(await listen(probe, `${host}:${port + 1}`)).port;
  } catch (error) {
    log.warn("relay.no_probe", { reason: error instanceof Error ? error.message : "unknown" });
    return undefined;
  }
}

function tellAddress(socket: net.Socket): void {
  socket.on("error", () => socket.destroy());
  const host = (socket.remoteAddress ?? "").replace(/^::ffff:/, "");
  socket.end(`${host} ${socket.remotePort ?? 0}`, () => socket.destroy());
}

function sideOf(identity: SidecarIdentity): ServerSide {
  const { clientRoots, serverRoots } = identity;
  return {
    profile: identity.profile.name,
    terms: identity.terms(),
    credentials: identity.credentials(),
    clientRoots,
    serverRoots,
  };
}

export function trustOf(identity: SidecarIdentity, revokedSerials: ReadonlySet<string>): Trust {
  const { groups, identities } = identity.terms();
  return {
    domain: identity.trustDomain,
    identityAlgorithms: identities.map(({ id }) => id),
    groups: groups.map(({ id }) => id),
    revokedSerials,
    issuers: hashesOf(identity.clientRoots),
  };
}

/** The key of the certificate that handshakes show first. */
export function signerOf([shown]: readonly Credentials[]): SigningKey {
  const certificate = shown && parseCertificate(shown.certificate);
  if (shown === undefined || certificate === undefined) throw new Error("an identity has a certificate");
  const { keyAlgorithm } = certificateFacts(certificate);
  if (!isSignatureSuiteId(keyAlgorithm)) throw new Error("an identity is of a suite");
  return signingKeyOf(signatureSuite(keyAlgorithm), shown.privateKey);
}

/** `spiffe://domain/server/<name>` → `<name>` */
function nameOf(spiffeId: string): string {
  const name = /\/server\/([a-z0-9][a-z0-9._-]{0,63})$/.exec(spiffeId)?.[1];
  if (name !== undefined) return name;
  throw new Refusal(
    "bad_join_token",
    `This identity is ${spiffeId}; a relay needs one such as "latticegate ca token --for server/NAME" makes.`,
  );
}
