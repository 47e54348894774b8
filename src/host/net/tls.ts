/** TLS 1.3 as the profile says: one server per group, clients that offer nothing else, no tickets. */
import { constants } from "node:crypto";
import tls from "node:tls";

import {
  certificateFacts,
  certificateHash,
  certificatesIn,
  isIssuedBy,
  type ParsedCertificate,
} from "../../crypto/certificate.ts";
import type { KeyExchangeSuite } from "../../crypto/suites/key-exchange.ts";
import { joined, type LinkTerms } from "../../crypto/suites/in-force.ts";
import { provenSpiffeId, type Trust } from "../../identity/admission.ts";
import { isForServers } from "../../identity/authority.ts";
import { provenServerId } from "../../identity/server-proof.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Channel } from "../../model/channel.ts";
import {
  controlAlpn,
  type Door,
  enrolAlpn,
  type NameOf,
  remoteOf,
  rendezvousAlpn,
  revocationsAlpn,
} from "./front-door.ts";
import { linkFacts } from "./link-facts.ts";
import type { ClassicalCredentials } from "./link-proof.ts";
import { sessionGroupId } from "./session-group.ts";

/** What this side shows of itself. */
export interface Credentials {
  /** PEM. */
  readonly certificate: string;
  /** PEM, PKCS #8: TLS takes no key objects. */
  readonly privateKey: string;
  /** What it proves beside that on a link; absent where it has no classical identity. */
  readonly classical?: ClassicalCredentials;
}

export const handshakeTimeoutMs = 5000;

/** What a server negotiates and shows, and whom it lets in. */
export interface ServerSide {
  /** Name of the profile in force. */
  readonly profile: string;
  readonly terms: LinkTerms;
  /** One for each algorithm a peer may know a root of, the best first; TLS picks by what the peer can verify. */
  readonly credentials: readonly Credentials[];
  /** PEM of the roots under which clients are issued. */
  readonly clientRoots: readonly string[];
  /** PEM of the roots under which servers are issued; absent where nobody asks for revocations. */
  readonly serverRoots?: readonly string[];
  /** What is shown to newcomers, who know a root's hash, and to those who were away and know no newer root. */
  readonly newcomers?: Newcomers;
}

interface Newcomers {
  /** Those of the roots there are: who comes back speaks what it spoke when it went. */
  readonly terms: LinkTerms;
  /** The oldest root of each algorithm, oldest first. */
  readonly shown: readonly { readonly credentials: Credentials; readonly serverRoot: string }[];
}

export interface DoorsOptions {
  readonly side: ServerSide;
  /** Whether peers without ML-KEM are let in, marked; they get no identity here and are told nothing of others'. */
  readonly allowsClassical?: boolean;
  readonly trust: () => Trust;
  readonly log: Log;
  /** Calls are taken only on links that prove a classical identity too. */
  readonly demands?: Channel["demands"];
  /** A link whose peer is proven. */
  readonly onLink: (socket: tls.TLSSocket, channel: Channel) => void;
  /** A link of a peer that has no identity yet; absent where none are given out. */
  readonly onEnrol?: (socket: tls.TLSSocket) => void;
  /** A link of a server that asks which certificates are revoked; absent where nobody knows. */
  readonly onServer?: (socket: tls.TLSSocket, channel: Channel) => void;
  /** A link of somebody's commands; absent where the control room isn't served. */
  readonly onCommand?: (socket: tls.TLSSocket, channel: Channel) => void;
  /** A link of a peer who came by an introduction; absent where nobody does. */
  readonly onPeer?: (socket: tls.TLSSocket, channel: Channel) => void;
  /** A link of a peer that asks to be introduced, a caller's or a server's; absent where nobody introduces them. */
  readonly onRendezvous?: (socket: tls.TLSSocket, channel: Channel) => void;
  readonly nameOf?: NameOf | undefined;
  /** Told of each certificate that is turned away. `spiffeId` stands in the facts if a root of ours issued it. */
  readonly onRefused?: (refusal: Refusal, remote: string) => void;
  readonly clock: Clock;
}

/** What a certificate is judged by. */
interface Judging extends DoorsOptions {
  readonly standing: () => Standing;
}

export interface Doors {
  /** Those of this moment. */
  readonly doors: () => readonly Door[];
  /** For new connections; old ones go on. */
  readonly renew: (side: ServerSide) => void;
}

/** The roots of the side a door is on now. */
type Standing = Readonly<Record<"client" | "server", readonly ParsedCertificate[]>>;

/** Whom a certificate proves, and the hash of the root above it. */
interface ProvenPeer {
  readonly spiffeId: string;
  readonly issuer: string;
}

export function openDoors(given: DoorsOptions): Doors {
  let standing = standingOf(given.side);
  const options = { ...given, standing: () => standing };
  let doors = doorsFor(options);
  return {
    doors: () => doors,
    renew: (side) => {
      standing = standingOf(side);
      // Handshakes under way end on the old ones, and are judged as of now all the same.
      doors = doorsFor({ ...options, side });
    },
  };
}

/** One for each group that somebody may use; peers of each kind are led to those of their terms. */
function doorsFor(options: Judging): readonly Door[] {
  const { demands, onEnrol, onServer, onCommand, onPeer, onRendezvous, side } = options;
  const { terms, newcomers = { terms, shown: [] } } = side;
  const classical = options.allowsClassical === true ? terms.classicalGroups : [];
  const demanding = (channel: Channel): Channel => ({ ...channel, ...(demands && { demands }) });
  return [...joined(terms, newcomers.terms).groups, ...classical].map((group): Door => {
    const isHybrid = ({ groups }: LinkTerms): boolean => groups.some(({ id }) => id === group.id);
    return {
      group,
      signatures: terms.identities,
      ...((isHybrid(terms) || group.kind === "classical") && {
        admitted: provingServer(options, group, ["h2", "http/1.1"], {
          prove: (peer, socket) => provenClient(peer, socket, options),
          onLink: (socket, channel) => options.onLink(socket, demanding(channel)),
        }),
      }),
      ...(onEnrol !== undefined &&
        isHybrid(newcomers.terms) && { enrol: enrolServer({ ...options, newcomers }, group, onEnrol) }),
      ...(onServer !== undefined &&
        isHybrid(terms) && {
          revocations: provingServer(options, group, [revocationsAlpn], {
            prove: (peer) => provenServer(peer, options),
            onLink: onServer,
          }),
        }),
      ...(onCommand !== undefined &&
        isHybrid(terms) && {
          control: provingServer(options, group, [controlAlpn], {
            prove: (peer, socket) => provenClient(peer, socket, options),
            onLink: onCommand,
          }),
        }),
      ...(onPeer !== undefined &&
        isHybrid(terms) && {
          peers: provingServer(options, group, ["h2"], {
            prove: (peer, socket) => provenClient(peer, socket, options),
            onLink: (socket, channel) => onPeer(socket, demanding(channel)),
          }),
        }),
      ...(onRendezvous !== undefined &&
        isHybrid(terms) && {
          rendezvous: provingServer(options, group, [rendezvousAlpn], {
            prove: (peer, socket) => provenAnybody(peer, socket, options),
            onLink: onRendezvous,
          }),
        }),
    };
  });
}

function standingOf({ clientRoots, serverRoots = [] }: ServerSide): Standing {
  return { client: clientRoots.flatMap(certificatesIn), server: serverRoots.flatMap(certificatesIn) };
}

/**
 * Options of a client that offers only what the profile has, and takes only `peerSpiffeId` for its peer. It says that it
 * can verify the algorithms of the roots it knows, so that a server with certificates of several shows the right one.
 */
export function clientTlsOptions(options: {
  readonly profile: LinkTerms;
  readonly serverRoots: readonly string[];
  readonly peerSpiffeId: string;
  /** Those of each algorithm, the best first; the server's roots decide. */
  readonly credentials?: Credentials | readonly Credentials[];
  readonly alpn?: string;
}): tls.ConnectionOptions {
  const { profile, serverRoots, credentials = [] } = options;
  const shown = [credentials].flat();
  return {
    minVersion: "TLSv1.3",
    ciphers: profile.ciphers,
    ecdhCurve: profile.groups.map((group) => group.id).join(":"),
    sigalgs: verifiable(profile, serverRoots),
    ca: [...serverRoots],
    ...(shown.length > 0 && pairs(shown)),
    ...(options.alpn !== undefined && { ALPNProtocols: [options.alpn] }),
    rejectUnauthorized: true,
    checkServerIdentity: (_host, certificate) =>
      certificate.subjectaltname === `URI:${options.peerSpiffeId}`
        ? undefined
        : new Error(
            `expected the server ${options.peerSpiffeId}, found ${certificate.subjectaltname ?? "no name"}`,
          ),
  };
}

/** Signature algorithms of the profile that stand above one of these roots; all of them for who knows no root yet. */
function verifiable({ identities }: LinkTerms, roots: readonly string[]): string {
  const known = new Set(roots.flatMap(certificatesIn).map((root) => certificateFacts(root).keyAlgorithm));
  return tlsNames(roots.length === 0 ? identities : identities.filter(({ id }) => known.has(id)));
}

function tlsNames(identities: LinkTerms["identities"]): string {
  return identities.flatMap(({ tlsName }) => tlsName ?? []).join(":");
}

function pairs(shown: readonly Credentials[]): { readonly cert: string[]; readonly key: string[] } {
  return {
    cert: shown.map(({ certificate }) => certificate),
    key: shown.map(({ privateKey }) => privateKey),
  };
}

/** Whether a link is of that profile, and not only of what is still taken beside it. */
export function isOf({ groups, classicalGroups, identities }: LinkTerms, { group, peer }: Channel): boolean {
  const isGroup = [...groups, ...classicalGroups].some(({ id }) => id === group);
  return isGroup && (peer.kind !== "svid" || identities.some(({ id }) => id === peer.keyAlgorithm));
}

/** What a client link negotiated. @throws Refusal `bad_certificate` if the group isn't one of the profile's */
export function negotiatedGroup(socket: tls.TLSSocket, profile: LinkTerms): KeyExchangeSuite {
  const info = socket.getEphemeralKeyInfo();
  const name = info !== null && "name" in info ? info.name : undefined;
  const group = profile.groups.find(({ id }) => id === name);
  if (group === undefined) {
    throw new Refusal(
      "bad_certificate",
      `The link negotiated ${String(name)}, which the profile doesn't have.`,
    );
  }
  return group;
}

/** Who may come in through a door. */
interface Admission {
  /** @throws Refusal `bad_certificate` */
  readonly prove: (peer: ParsedCertificate, socket: tls.TLSSocket) => ProvenPeer;
  readonly onLink: (socket: tls.TLSSocket, channel: Channel) => void;
}

function provingServer(
  options: Judging,
  group: KeyExchangeSuite,
  protocols: string[],
  admission: Admission,
): tls.Server {
  const server = tls.createServer(
    {
      ...serverContext(options.side, group),
      requestCert: true,
      // The reason would be lost if OpenSSL cut the link itself; `admit` is the one place that judges.
      rejectUnauthorized: false,
      handshakeTimeout: handshakeTimeoutMs,
      ALPNProtocols: protocols,
    },
    (socket) => admit(socket, group, admission, options),
  );
  return withLoggedErrors(server, options.log);
}

function enrolServer(
  options: DoorsOptions & { readonly newcomers: Newcomers },
  group: KeyExchangeSuite,
  onEnrol: (socket: tls.TLSSocket) => void,
): tls.Server {
  const server = tls.createServer(
    {
      ...enrolContext(options.side, options.newcomers, group),
      handshakeTimeout: handshakeTimeoutMs,
      ALPNProtocols: [enrolAlpn],
    },
    (socket) => {
      socket.on("error", () => socket.destroy());
      if (socket.alpnProtocol === enrolAlpn && sessionGroupId(socket.getSession()) === group.groupId)
        onEnrol(socket);
      else socket.destroy();
    },
  );
  return withLoggedErrors(server, options.log);
}

function serverContext(
  { terms, credentials, clientRoots }: ServerSide,
  group: KeyExchangeSuite,
): tls.TlsOptions {
  return {
    ...pairs(credentials),
    // INVARIANT: only the clients' roots stand here. With the issuer of `cert` among them OpenSSL would
    // send its own root along: 5 KB more in each handshake and one round trip.
    ca: [...clientRoots],
    minVersion: "TLSv1.3",
    ciphers: terms.ciphers,
    ecdhCurve: group.id,
    sigalgs: tlsNames(terms.identities),
    honorCipherOrder: true,
    // A ticket would carry 5.7 KB of certificate and let a link skip the revocation check.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

/** Newcomers have no root yet, so it is sent along; they compare it with the hash they were given. */
function enrolContext(
  side: ServerSide,
  { terms, shown }: Newcomers,
  group: KeyExchangeSuite,
): tls.TlsOptions {
  const credentials = shown.map(({ credentials: own, serverRoot }) => ({
    ...own,
    certificate: own.certificate + serverRoot,
  }));
  const algorithms = credentials.flatMap(({ certificate }) => certificatesIn(certificate).slice(0, 1));
  const inOrder = algorithms.map((leaf) => certificateFacts(leaf).keyAlgorithm);
  const rank = (id: string): number => (inOrder.includes(id) ? inOrder.indexOf(id) : inOrder.length);
  const identities = terms.identities.toSorted((a, b) => rank(a.id) - rank(b.id));
  return serverContext({ ...side, credentials, terms: { ...terms, identities } }, group);
}

/** The one place where a link is let in or cut, before a byte of HTTP is read. */
function admit(
  socket: tls.TLSSocket,
  group: KeyExchangeSuite,
  { prove, onLink }: Admission,
  options: Judging,
): void {
  const { log, onRefused, nameOf = remoteOf } = options;
  socket.on("error", () => socket.destroy());
  const remote = nameOf(socket);
  try {
    onLink(socket, provenChannel(socket, group, prove, options));
  } catch (error) {
    const refusal = error instanceof Refusal ? error : undefined;
    log.warn("link.refused", { remote, ...refusal?.facts, reason: refusal?.message ?? String(error) });
    socket.destroy();
    if (refusal !== undefined) onRefused?.(refusal, remote);
  }
}

function provenChannel(
  socket: tls.TLSSocket,
  group: KeyExchangeSuite,
  prove: Admission["prove"],
  { side: { profile, terms }, nameOf = remoteOf }: Judging,
): Channel {
  if (sessionGroupId(socket.getSession()) !== group.groupId) {
    throw new Refusal("bad_certificate", `The session doesn't say that it used ${group.id}.`);
  }
  const peer = socket.getPeerX509Certificate();
  if (peer === undefined) {
    const counting = terms.identities.map(({ id }) => id).join(" or ");
    throw new Refusal("bad_certificate", `The peer showed no certificate with ${counting}; no other counts.`);
  }
  const { keyAlgorithm, serial, notBeforeUnixMs, notAfterUnixMs } = certificateFacts(peer);
  const proven = { ...prove(peer, socket), keyAlgorithm, serial, notBeforeUnixMs, notAfterUnixMs };
  return {
    ...linkFacts(socket, group, profile),
    peer: { kind: "svid", ...proven },
    remote: nameOf(socket),
  };
}

/** Callers and servers both: each comes with the certificate it has. */
function provenAnybody(peer: ParsedCertificate, socket: tls.TLSSocket, judging: Judging): ProvenPeer {
  return isForServers(peer) ? provenServer(peer, judging) : provenClient(peer, socket, judging);
}

/** A client's chain is OpenSSL's to verify; its names are ours. */
function provenClient(
  peer: ParsedCertificate,
  { authorized, authorizationError }: tls.TLSSocket,
  { trust, standing }: Judging,
): ProvenPeer {
  const facts = certificateFacts(peer);
  const { client, server } = standing();
  if (!authorized) {
    const reason = String(authorizationError);
    const [spiffeId] = [...client, ...server].some((root) => isIssuedBy(peer, root)) ? facts.uris : [];
    throw new Refusal("bad_certificate", `The peer's certificate isn't accepted: ${reason}.`, {
      facts: { reason, serial: facts.serial, ...(spiffeId !== undefined && { spiffeId }) },
    });
  }
  return { spiffeId: provenSpiffeId(facts, trust()), issuer: issuerHash(peer, client) };
}

/** A server's chain is ours to verify: its roots aren't those of clients. */
function provenServer(peer: ParsedCertificate, { standing, trust, clock }: Judging): ProvenPeer {
  const { server } = standing();
  const spiffeId = provenServerId(peer, server, trust(), clock.nowUnixMs());
  return { spiffeId, issuer: issuerHash(peer, server) };
}

/** OpenSSL has verified the signature; of which root it was, names tell, since no two roots share one. */
function issuerHash(peer: ParsedCertificate, roots: readonly ParsedCertificate[]): string {
  const issuer = roots.find((root) => peer.checkIssued(root));
  if (issuer !== undefined) return certificateHash(issuer);
  throw new Refusal("bad_certificate", "The peer's certificate isn't of a root that is trusted now.");
}

/** What OpenSSL's words for it mean here. */
const handshakeReasons: Readonly<Record<string, string>> = {
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: "it can verify no certificate that is shown here",
  ERR_SSL_NO_SHARED_CIPHER: "it offers no cipher suite of the profile",
  ERR_SSL_CA_MD_TOO_WEAK: "its certificate is signed with a digest that doesn't count",
  ERR_SSL_EE_KEY_TOO_SMALL: "the key of its certificate is too short",
};

export function withLoggedErrors(server: tls.Server, log: Log): tls.Server {
  return server.on("tlsClientError", (error, socket) => {
    const code = "code" in error ? String(error.code) : error.message;
    const meaning = handshakeReasons[code];
    log.warn("link.refused", {
      remote: remoteOf(socket),
      reason: `handshake: ${code}${meaning === undefined ? "" : `, ${meaning}`}`,
    });
    socket.destroy();
  });
}
