/** `latticegate connect`: a client in front, the post-quantum tunnel behind. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type http from "node:http";
import type { Readable, Writable } from "node:stream";

import type { Dispatcher } from "undici";

import { forwardFront } from "../host/net/forward-front.ts";
import { collected, exchange, type HttpAnswer, type HttpRequest } from "../host/net/http-exchange.ts";
import { type FrontOptions, loopbackFront } from "../host/net/loopback-front.ts";
import { listen } from "../host/net/listen.ts";
import { mcpPath } from "../wire/protected-resource.ts";
import { patientSend, type Send } from "../host/net/patient-send.ts";
import { sseFront } from "../host/net/sse-front.ts";
import { renewHeader, valueOf } from "../host/net/headers.ts";
import type { ClassicalCredentials, ProofOffer } from "../host/net/link-proof.ts";
import type { LinkOptions } from "../host/net/proven-links.ts";
import { type RenewablePool, renewablePool } from "../host/net/renewable-pool.ts";
import { clientTlsOptions } from "../host/net/tls.ts";
import { MessageFront } from "../host/message-front.ts";
import type { PeerDialler } from "../host/peer/peer-dialler.ts";
import { type PeerName, readPeerName, serverIdOf } from "../identity/peer-name.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import { declaring, type Intent } from "../wire/intent.ts";
import { asLine, lineReader } from "../wire/lines.ts";
import { readRenewalWish } from "../wire/renewal-wish.ts";
import type { Bootstrap } from "./bootstrap.ts";
import type { LinkAuthentication } from "./config/link.ts";
import { defaultSignatures, type SignatureSettings } from "./config/signatures.ts";
import { openPeerLink, peerPings, peerUrl } from "./peer/peer-link.ts";
import { type AskedPeers, peerSettings } from "./peer/peer-places.ts";
import { keepPathFacts } from "./path-facts.ts";
import { sidecarCalling } from "./signatures/sidecar-calling.ts";
import { openSidecarIdentity, type SidecarIdentity } from "./sidecar-identity.ts";
import { standing, type StandingOptions } from "./sidecar-standing.ts";
import { type OnLogIncident, refuseOnIncident, startWitness, type Witness } from "./witnessing.ts";

export interface ConnectOptions {
  /** Name of a server behind the gateway, the https URL of an exposed one, or a peer's name (`mcp-pqc://…`). */
  readonly target: string;
  /** SPIFFE ID expected of the other end; by default the gateway's, or that of the exposed server of a peer's name. */
  readonly peer?: string;
  /** How peers are found; absent where the target is no peer's name. */
  readonly peers?: AskedPeers;
  /** How often a direct way to a peer is looked for while there is a relayed one. */
  readonly probeEachMs?: number;
  readonly state: string;
  readonly joinToken?: string;
  /** `hybrid-mtls` demands a classical identity of the other end even if it isn't the gateway. */
  readonly authentication?: LinkAuthentication;
  readonly bootstrap?: Bootstrap;
  /** Whether calls share links, and how these are kept alive; by default they do with a peer alone. */
  readonly links?: Pick<LinkOptions, "http" | "pings"> | undefined;
  /** How long the other end may be away; 30 seconds by default. */
  readonly patienceMs?: number;
  /** Names a part of the client's session. */
  readonly sessionPart?: string;
  /** File of the delegation with which it acts for others. */
  readonly onBehalfOf?: string;
  /** What its clients' calls are for, where they don't say it themselves. */
  readonly intent?: Intent;
  /** What to do when the gateway's log isn't the one seen before; who doesn't say doesn't witness it. */
  readonly onLogIncident?: OnLogIncident;
  /** What it does about message signatures; by default it offers them. */
  readonly signatures?: SignatureSettings;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Tunnel {
  /** To the target, unless it names another path at the same place. */
  readonly send: (request: Omit<HttpRequest, "path"> & { readonly path?: string }) => Promise<HttpAnswer>;
  readonly identity: SidecarIdentity;
  readonly close: () => Promise<void>;
}

const limits = { answerTimeoutMs: 600_000, answerBytes: 64 * 1024 * 1024 };
const maxRequestBytes = 64 * 1024 * 1024;
/** How long a call waits for a gateway that is being restarted. */
const defaultPatienceMs = 30_000;
/** How long open calls may take after the client closed its end. */
const endGraceMs = 5000;

/** Who uses a tunnel. */
interface Users {
  /** Whether one client's process started this sidecar, or many use it. */
  readonly clients: StandingOptions["clients"];
  /** Their messages are signed, and what they are answered is checked. */
  readonly isSigning?: boolean;
}

export async function openTunnel(
  options: ConnectOptions,
  { clients, isSigning = false }: Users = { clients: "one" },
): Promise<Tunnel> {
  await using opening = new AsyncDisposableStack();
  opening.defer(await keepPathFacts(options.state, options.log));
  const identity = await openSidecarIdentity({ ...options, joinToken: options.joinToken });
  opening.defer(identity.stop);
  const target = targetOf(options, identity);
  const { url, peerSpiffeId } = target;
  const { patienceMs = defaultPatienceMs } = options;
  const pool = await openPool(target, { ...options, patienceMs }, identity, opening);
  const path = url.pathname + url.search;
  const once = asking(() => pool.dispatcher(), identity);
  const calling = await sidecarCalling(once, {
    ...options,
    ...(!isSigning && { signatures: { ...defaultSignatures, use: "off" } }),
    identity,
    url,
    peer: peerSpiffeId,
    clients,
    maxEventBytes: limits.answerBytes,
  });
  opening.defer(calling.stop);
  const patient = patientSend(calling.send, patienceMs, options.log);
  const about = [url.origin, peerSpiffeId, identity.spiffeId];
  const send = standing(patient, about, { ...options, clients });
  const witness = options.onLogIncident && (await startWitness({ ...options, identity }));
  if (witness !== undefined) opening.defer(witness.stop);
  const isGateway = peerSpiffeId === identity.gateway.spiffeId;
  const opened = opening.move();
  return {
    identity,
    send: async (request) => {
      refuseOnIncident(witness, options.onLogIncident);
      const sentMs = performance.now();
      const { body } = request;
      const isDeclared = options.intent === undefined || body === undefined;
      const declared = isDeclared ? request : { ...request, body: declaring(body, options.intent) };
      const answer = await send({ path, ...declared });
      if (isGateway) noteCall(witness, answer, sentMs);
      return answer;
    },
    close: () => opened.disposeAsync(),
  };
}

/** Links to the target, with what this identity shows; to a peer, by the best way there is. */
async function openPool(
  { url, peerSpiffeId, peer }: Target,
  options: ConnectOptions & { readonly patienceMs: number },
  identity: SidecarIdentity,
  opening: AsyncDisposableStack,
): Promise<RenewablePool> {
  const dialler = peer && (await openPath(peer, peerSpiffeId, { options, identity }));
  if (dialler !== undefined) opening.defer(dialler.stop);
  const link = (): LinkOptions => {
    const { serverRoots } = identity;
    const [credentials, terms] = [identity.credentials(), identity.terms()];
    const tls = clientTlsOptions({ profile: terms, serverRoots, peerSpiffeId, credentials });
    const isGateway = peerSpiffeId === identity.gateway.spiffeId;
    const proof = proofOffer(credentials[0]?.classical, isGateway, options);
    const direct = { ...options.links, terms, tls, proof };
    return dialler === undefined
      ? direct
      : { pings: peerPings, ...direct, http: "h2", connect: dialler.connect };
  };
  const pool = renewablePool(url.origin, link(), options);
  opening.defer(() => pool.close());
  identity.onRenewed(() => {
    dialler?.renewed();
    pool.renew(link());
  });
  dialler?.onBetter(() => pool.renew(link()));
  return pool;
}

/** Sends a request once, and heeds what the other end says of the identity it was made with. */
function asking(dispatcher: () => Dispatcher, identity: SidecarIdentity): Send {
  return async (request) => {
    const ask = (): Promise<HttpAnswer> => exchange(dispatcher(), request, limits);
    const answer = await ask().catch(async (error: unknown) => {
      // Algorithms may have been changed while nobody called.
      if (mayBeOutdated(error) && (await identity.catchUp())) return await ask().catch(explained);
      return explained(error);
    });
    identity.heed(readRenewalWish(valueOf(answer.headers, renewHeader) ?? ""));
    return answer;
  };
}

/** A call that was carried out is in the log before its answer leaves. */
function noteCall(witness: Witness | undefined, { status }: HttpAnswer, sentMs: number): void {
  if (status >= 200 && status < 300) witness?.called(sentMs);
}

/**
 * A gateway that certifies classical identities has one itself, so it must prove it; of an exposed server that isn't
 * known, and the operator says whether it must.
 */
function proofOffer(
  own: ClassicalCredentials | undefined,
  isGateway: boolean,
  { authentication, clock }: ConnectOptions,
): ProofOffer | undefined {
  const isDemanded = isGateway || authentication === "hybrid-mtls";
  return own && { own, isDemanded, revokedSerials: () => new Set<string>(), clock };
}

/** Serves one stdio client until it closes its end. */
export async function connectStdio(
  options: ConnectOptions,
  streams: { readonly input: Readable; readonly output: Writable },
): Promise<void> {
  const tunnel = await openTunnel(options, { clients: "one", isSigning: true });
  const front = new MessageFront({
    send: async (request) => collected(await tunnel.send(request)),
    write: async (message) => {
      const { output } = streams;
      if (output.write(asLine(message)) || output.destroyed) return;
      await Promise.race([once(output, "drain"), once(output, "close")]).catch(() => undefined);
    },
    log: options.log,
    maxEventBytes: limits.answerBytes,
  });
  const reader = lineReader(maxRequestBytes);
  try {
    for await (const chunk of streams.input) {
      for (const line of reader.push(chunk as Buffer)) front.take(line);
    }
  } finally {
    await front.end(endGraceMs);
    await tunnel.close();
  }
}

export interface LoopbackConnection {
  /** What a client connects to: loopback, with this start's token in it. */
  readonly url: string;
  readonly close: () => Promise<void>;
}

export interface HttpConnection extends LoopbackConnection {
  /** The same for a client of HTTP+SSE, the transport of MCP 2024-11-05. */
  readonly sseUrl: string;
}

/** Serves HTTP clients on loopback; port 0 takes a free one. */
export async function connectHttp(options: ConnectOptions, port: number): Promise<HttpConnection> {
  const { bound, token, close } = await listenOnLoopback(options, port, (shared) => {
    const sse = sseFront({
      ...shared,
      send: async (request) => collected(await shared.send(request)),
      path: `/${shared.token}`,
      maxEventBytes: limits.answerBytes,
      maxUnreadBytes: limits.answerBytes,
    });
    return { server: loopbackFront({ ...shared, sse }), close: sse.close };
  });
  const base = `http://localhost:${bound}/${token}`;
  return { url: `${base}/mcp`, sseUrl: `${base}/sse`, close };
}

/** Serves HTTP clients on loopback as their proxy; the URL holds this start's password. */
export async function connectForward(options: ConnectOptions, port: number): Promise<LoopbackConnection> {
  const { bound, token, close } = await listenOnLoopback(
    { ...options, isSigning: false }, // They name their servers themselves: nobody is there to sign for.
    port,
    (shared) => ({ server: forwardFront(shared), close: () => Promise.resolve() }),
  );
  return { url: `http://x:${token}@127.0.0.1:${bound}`, close };
}

interface Front {
  readonly server: http.Server;
  /** Ends what clients have open there. */
  readonly close: () => Promise<void>;
}

/** @returns the port it is bound to, as text, and this start's token */
async function listenOnLoopback(
  options: ConnectOptions & Pick<Users, "isSigning">,
  port: number,
  makeFront: (shared: FrontOptions) => Front,
): Promise<{ readonly bound: string; readonly token: string; readonly close: () => Promise<void> }> {
  const { isSigning = true } = options;
  const tunnel = await openTunnel(options, { clients: "many", isSigning });
  const token = randomBytes(24).toString("base64url");
  const { send } = tunnel;
  const front = makeFront({ send, token, maxBodyBytes: maxRequestBytes, log: options.log });
  const address = await listen(front.server, `127.0.0.1:${port}`).catch(async (error: unknown) => {
    await tunnel.close();
    throw error;
  });
  return {
    bound: address.slice(address.lastIndexOf(":") + 1),
    token,
    close: async () => {
      front.server.close();
      front.server.closeAllConnections();
      await front.close();
      await tunnel.close();
    },
  };
}

interface Target {
  readonly url: URL;
  /** SPIFFE ID of the other end. */
  readonly peerSpiffeId: string;
  /** Where the target is a peer's name. */
  readonly peer?: PeerName;
}

function targetOf({ target, peer: expected }: ConnectOptions, identity: SidecarIdentity): Target {
  const { gateway, trustDomain } = identity;
  const peer = readPeerName(target);
  if (peer !== undefined) {
    const url = peerUrl(peer);
    return { url, peer, peerSpiffeId: expected ?? serverIdOf(peer, trustDomain) };
  }
  const peerSpiffeId = expected ?? gateway.spiffeId;
  if (!target.includes("://"))
    return { url: new URL(`https://${gateway.address}${mcpPath}${target}`), peerSpiffeId };
  const url = URL.parse(target);
  if (url?.protocol === "https:") return { url, peerSpiffeId };
  throw new Refusal(
    "bad_config",
    `Expected a server's name, an https URL or a peer's name (mcp-pqc://…), found "${target}".`,
  );
}

/** The ways to a peer. @throws Refusal `bad_config` if nobody could lead there */
async function openPath(
  peer: PeerName,
  peerSpiffeId: string,
  { options, identity }: { readonly options: ConnectOptions; readonly identity: SidecarIdentity },
): Promise<PeerDialler> {
  const { peers = { via: [], isLocal: false }, probeEachMs, clock, log } = options;
  const settings = peerSettings(peers, identity.trustDomain);
  const probing = probeEachMs === undefined ? {} : { probeEachMs };
  return await openPeerLink({ peer, spiffeId: peerSpiffeId, settings, identity, clock, log, ...probing });
}

/** The end of a link that wasn't used may come before the alert that says why. */
function mayBeOutdated(error: unknown): boolean {
  if (!(error instanceof Refusal)) return false;
  const { cause, sent } = error.facts;
  return /TLS_ALERT/.test(String(cause)) || (cause === "UND_ERR_SOCKET" && sent === false);
}

/** A gateway cuts a link it doesn't accept right after the handshake; TLS 1.3 gives it no word for why. */
function explained(error: unknown): never {
  if (error instanceof Refusal && error.facts["cause"] === "UND_ERR_SOCKET") {
    throw new Refusal(
      error.code,
      "The gateway closed the link. If this goes on, it doesn't accept this identity (revoked, or from another gateway); its log says why.",
      { cause: error, facts: error.facts },
    );
  }
  throw error;
}
