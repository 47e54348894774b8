/** What the running gateway's doors, links and pools say of themselves: nothing is claimed that wasn't negotiated. */
import { isIP } from "node:net";

import { certificateFacts, parseCertificate } from "../../crypto/certificate.ts";
import { describedKey } from "../../crypto/keys.ts";
import { type InForce, writtenInForce } from "../../crypto/suites/in-force.ts";
import { shown } from "../../host/peer/attendant.ts";
import { isPeerNameText } from "../../identity/peer-name.ts";
import { isLoopbackHost } from "../../host/net/loopback.ts";
import type { LinkNow } from "../../host/net/links-now.ts";
import type { Credentials } from "../../host/net/tls.ts";
import type { SeenToken } from "../../host/oauth/issuers.ts";
import type { CalledPeer } from "../peer/called-peer.ts";
import type { PeerPath } from "../../model/peer-path.ts";
import type { Config, ServerConfig } from "../config.ts";
import type { Standing } from "../own-identity.ts";
import type { Serving } from "../serve.ts";
import type { NotedLink } from "../upstreams.ts";
import type { WebListenerFacts } from "../web-listener.ts";
import type {
  IssuerDocument,
  LinkDocument,
  ListenerDocument,
  LiveDocument,
  PathDocument,
  ServerDocument,
} from "./live-document.ts";

/** What of a running gateway can be asked. */
export interface LiveParts {
  readonly serving: Pick<Serving, "address" | "groups" | "links">;
  /** As it is shown now. */
  readonly standing: () => Standing;
  readonly web: () => readonly WebListenerFacts[];
  readonly negotiated: ReadonlyMap<string, NotedLink>;
  /** Of servers that are named as peers: how they are reached now. */
  readonly paths: () => ReadonlyMap<string, PeerPath>;
  /** It itself, where peers may call it. */
  readonly called: Pick<CalledPeer, "peerId" | "rendezvous"> | undefined;
  /** By the issuer's name; one that counts in several places has several. */
  readonly issuersSeen: () => readonly ReadonlyMap<string, SeenToken>[];
}

type OwnCertificate = LiveDocument["own_certificates"][number];

interface Moment {
  readonly inForce: InForce;
  readonly nowUnixMs: number;
  readonly startedAtUnixMs: number;
  readonly version: string;
}

export function liveFacts(config: Config, parts: LiveParts, moment: Moment): LiveDocument {
  const { serving } = parts;
  const standing = parts.standing();
  const web = parts.web();
  const own = serving.links();
  const paths = parts.paths();
  return {
    version: moment.version,
    listen: serving.address,
    peer: parts.called?.peerId ?? null,
    at: iso(moment.nowUnixMs),
    started: iso(moment.startedAtUnixMs),
    in_force: writtenInForce(moment.inForce),
    listeners: [sidecarListener(config, serving, standing), ...web.map(webListener)],
    links: [
      ...own.calls.map((link) => linkOf(link, serving.address, "calls")),
      ...own.revocations.map((link) => linkOf(link, serving.address, "revocations")),
      ...web.flatMap(({ url, links }) => links.map((link) => linkOf(link, url, "calls"))),
    ],
    own_certificates: ownCertificates(standing),
    servers: Object.entries(config.servers).map(([name, server]) =>
      serverOf(name, server, { noted: parts.negotiated.get(name), path: paths.get(name) }),
    ),
    rendezvous: (parts.called?.rendezvous() ?? []).map(({ at, seen = null }) => ({
      rendezvous: at.spiffeId,
      address: shown(at),
      seen,
    })),
    issuers: issuersOf(config, parts.issuersSeen()),
  };
}

function sidecarListener(
  config: Config,
  serving: LiveParts["serving"],
  standing: Standing,
): ListenerDocument {
  const shown = standing.server.credentials.map(certifiedBy);
  return {
    name: serving.address,
    address: serving.address,
    authentication: config.linkAuthentication,
    key_exchange: config.classicalServers === undefined ? "hybrid-required" : "hybrid-preferred",
    groups: [...serving.groups().calls],
    newcomers: [...serving.groups().newcomersAlone],
    certificates: shown.map(({ algorithm }) => algorithm),
    classical: [...new Set(shown.flatMap(({ classical }) => classical ?? []))],
  };
}

function webListener({
  url,
  address,
  keyExchange,
  groups,
  certificates,
}: WebListenerFacts): ListenerDocument {
  return {
    name: url,
    address,
    authentication: "web-certificate",
    key_exchange: keyExchange,
    groups: [...groups],
    newcomers: [],
    certificates: [...certificates],
    classical: [],
  };
}

function linkOf({ channel, callers }: LinkNow, listener: string, purpose: LinkDocument["for"]): LinkDocument {
  const { group, keyExchange, peer, remote, path } = channel;
  return {
    listener,
    for: purpose,
    callers: [...callers],
    remote,
    group,
    key_exchange: keyExchange,
    certificate: peer.kind === "svid" ? peer.keyAlgorithm : null,
    classical: (peer.kind === "svid" ? peer.classical?.keyAlgorithm : undefined) ?? null,
    path: pathOf(path),
  };
}

function pathOf(path: PeerPath | undefined): PathDocument | null {
  if (path === undefined) return null;
  const { kind, why = null, rendezvous = null } = path;
  return { kind, why, rendezvous };
}

function ownCertificates({ server, client }: Standing): LiveDocument["own_certificates"] {
  const newcomers = server.newcomers?.shown.map(({ credentials }) => credentials) ?? [];
  const used = (name: OwnCertificate["used"], all: readonly Credentials[]): readonly OwnCertificate[] =>
    all.map((credentials) => ({ used: name, ...certifiedBy(credentials) }));
  return [
    ...used("at the door", server.credentials),
    ...used(
      "for newcomers",
      newcomers.filter((each) => !server.credentials.includes(each)),
    ),
    ...used("towards servers", client.credentials),
  ];
}

function certifiedBy({ certificate, classical }: Credentials): {
  readonly algorithm: string;
  readonly classical: string | null;
  readonly not_after: string;
} {
  const parsed = parseCertificate(certificate);
  if (parsed === undefined) throw new Error("an own certificate that can't be read");
  const beside = classical && parseCertificate(classical.certificate);
  return {
    algorithm: describedKey(parsed.publicKey),
    classical: beside === undefined ? null : describedKey(beside.publicKey),
    not_after: iso(certificateFacts(parsed).notAfterUnixMs),
  };
}

function serverOf(
  name: string,
  server: ServerConfig,
  { noted, path }: { readonly noted: NotedLink | undefined; readonly path: PeerPath | undefined },
): ServerDocument {
  const negotiated = noted && {
    version: noted.version,
    group: noted.group ?? null,
    cipher: noted.cipher,
    server_key: noted.serverKey ?? null,
    at: iso(noted.atUnixMs),
  };
  const peer = ("peer" in server ? server.peer : undefined) ?? null;
  const found = { negotiated: negotiated ?? null, path: pathOf(path) };
  return { name, ...reachedHow(server), peer, offers: offersTo(server), ...found };
}

/** Arguments and paths may hold tokens: the program and the origin are named. */
function reachedHow(server: ServerConfig): Pick<ServerDocument, "how" | "target" | "local"> {
  if ("command" in server) return { how: "stdio", target: server.command[0] ?? "", local: true };
  if ("forward" in server) return { how: "forward", target: server.forward.join(" "), local: false };
  const address = addressOf(server);
  if (isPeerNameText(address)) return { how: "peer", target: address, local: false };
  const { protocol, origin, hostname } = new URL(address);
  const isLocal = isLoopbackHost(hostname) || (isIP(hostname) === 4 && hostname.startsWith("127."));
  if ("peer" in server && server.peer !== undefined) return { how: "peer", target: origin, local: isLocal };
  return { how: protocol === "https:" ? "https" : "http", target: origin, local: isLocal };
}

/** Of one that its document alone says where it is, only that it is reached over https. */
function addressOf(server: Extract<ServerConfig, { url: unknown } | { openapi: unknown }>): string {
  return "url" in server ? server.url : (server.base_url ?? "https://as-its-document-says.invalid");
}

function offersTo(server: ServerConfig): ServerDocument["offers"] {
  if ("command" in server || "forward" in server || !addressOf(server).startsWith("https:")) return null;
  return server.link.key_exchange === "hybrid-preferred" ? "profile and classical" : "profile";
}

function issuersOf({ issuers }: Config, seen: readonly ReadonlyMap<string, SeenToken>[]): IssuerDocument[] {
  return Object.entries(issuers).map(([name, { issuer }]) => {
    const all = seen.flatMap((each) => each.get(name) ?? []);
    const last = all.toSorted((a, b) => b.atUnixMs - a.atUnixMs)[0];
    return {
      name,
      issuer,
      last_token: last === undefined ? null : { algorithm: last.algorithm ?? null, at: iso(last.atUnixMs) },
    };
  });
}

function iso(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
