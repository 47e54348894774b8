/** Doors for clients without an identity of this trust domain: a web certificate, and whatever certificate they show. */
import { constants, X509Certificate } from "node:crypto";
import net from "node:net";
import tls from "node:tls";

import { sha256 } from "../../crypto/hash.ts";
import { weaknessOfTokenKey } from "../../crypto/suites/outside.ts";
import type { LinkTerms } from "../../crypto/suites/in-force.ts";
import type { KeyExchangeSuite } from "../../crypto/suites/key-exchange.ts";
import { toBase64url } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Channel } from "../../model/channel.ts";
import { type Door, remoteOf } from "./front-door.ts";
import { linkFacts } from "./link-facts.ts";
import { sessionGroupId } from "./session-group.ts";
import { type Credentials, handshakeTimeoutMs, withLoggedErrors } from "./tls.ts";

/** What the doors of a listener negotiate, under which profile. */
export interface DoorTerms extends Omit<LinkTerms, "identities"> {
  /** Name of the profile in force. */
  readonly name: string;
}

export interface WebDoorsOptions {
  readonly terms: DoorTerms;
  /** One of each kind of key; clients that can verify ML-DSA are shown that one. */
  readonly credentials: readonly Credentials[];
  /** Whether links without ML-KEM are let in, to what they may reach. */
  readonly allowsClassical: boolean;
  /** Whether clients may show a certificate that their tokens are bound to (RFC 8705). */
  readonly asksCertificates: boolean;
  readonly log: Log;
  /** A link whose peer has yet to say who it is. */
  readonly onLink: (socket: tls.TLSSocket, channel: Channel) => void;
}

export interface WebDoors {
  /** Hybrid ones first: a client that knows both is led through those. */
  readonly doors: () => readonly Door[];
  /** For new connections; a group that isn't among these any more is shut at once. */
  readonly setTerms: (terms: DoorTerms) => void;
  /** New connections show these. Throws if a key isn't the one of its certificate, and nothing is changed then. */
  readonly renew: (credentials: readonly Credentials[]) => void;
  /** Those that are shown now. */
  readonly credentials: () => readonly Credentials[];
}

/** What a listener takes under a profile, in order of preference. */
export function webGroups(
  { groups, classicalGroups }: Pick<DoorTerms, "groups" | "classicalGroups">,
  allowsClassical: boolean,
): readonly KeyExchangeSuite[] {
  return [...groups, ...(allowsClassical ? classicalGroups : [])];
}

/** @throws Refusal `bad_config` if a key isn't the one of its certificate */
export function openWebDoors(options: WebDoorsOptions): WebDoors {
  let { terms, credentials } = options;
  checkContexts(credentials);
  let doors = doorsFor(options, terms, credentials);
  return {
    doors: () => doors,
    credentials: () => credentials,
    setTerms: (next) => {
      // Handshakes under way end on the old ones, under the terms they began with.
      terms = next;
      doors = doorsFor(options, terms, credentials);
    },
    renew: (next) => {
      checkContexts(next);
      credentials = next;
      for (const { admitted, group } of doors) {
        admitted?.setSecureContext(contextOf(terms, credentials, group));
      }
    },
  };
}

function doorsFor(
  options: WebDoorsOptions,
  terms: DoorTerms,
  credentials: readonly Credentials[],
): readonly Door[] {
  return webGroups(terms, options.allowsClassical).map((group): Door => {
    const server = tls.createServer(
      {
        ...contextOf(terms, credentials, group),
        // Nobody has to vouch for it: the token says which certificate it is bound to (RFC 8705 §3.1).
        requestCert: options.asksCertificates,
        rejectUnauthorized: false,
        handshakeTimeout: handshakeTimeoutMs,
        ALPNProtocols: ["http/1.1"],
      },
      (socket) => admit(socket, group, terms.name, options),
    );
    return { group, admitted: withLoggedErrors(server, options.log) };
  });
}

function contextOf(
  terms: DoorTerms,
  credentials: readonly Credentials[],
  group: KeyExchangeSuite,
): tls.TlsOptions {
  return {
    cert: credentials.map(({ certificate }) => certificate),
    key: credentials.map(({ privateKey }) => privateKey),
    minVersion: "TLSv1.3",
    ciphers: terms.ciphers,
    // INVARIANT: one group each, so that which one it is is known by construction.
    ecdhCurve: group.id,
    honorCipherOrder: true,
    // A resumed link would bring no certificate for a token to be bound to.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

function admit(
  socket: tls.TLSSocket,
  group: KeyExchangeSuite,
  profile: string,
  options: WebDoorsOptions,
): void {
  socket.on("error", () => socket.destroy());
  const remote = remoteOf(socket);
  const certificate = options.asksCertificates ? socket.getPeerX509Certificate() : undefined;
  const reason =
    sessionGroupId(socket.getSession()) === group.groupId
      ? certificate && weaknessOfTokenKey(certificate.publicKey)
      : `the session doesn't say that it used ${group.id}`;
  if (reason !== undefined) {
    options.log.warn("link.refused", { remote, reason });
    socket.destroy();
    return;
  }
  options.onLink(socket, {
    ...linkFacts(socket, group, profile),
    peer: {
      kind: "anonymous",
      ...(certificate && { thumbprint: toBase64url(sha256(certificate.raw)) }),
    },
    remote,
  });
}

/** What a server would only say at its next connection, or when half of them have changed. */
function checkContexts(credentials: readonly Credentials[]): void {
  try {
    for (const { certificate, privateKey } of credentials) {
      tls.createSecureContext({ cert: certificate, key: privateKey });
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "unknown";
    throw new Refusal("bad_config", `A listener's certificate and key can't be used: ${why}.`, { cause });
  }
}

/** @throws Refusal `bad_config` unless it is a certificate for that host, and in force */
export function checkWebCertificate(pem: string, host: string, nowUnixMs: number): void {
  const certificate = parsed(pem);
  if (certificate === undefined) throw new Refusal("bad_config", "Expected a certificate in PEM.");
  const names = certificate.subjectAltName ?? "none";
  const address = host.replace(/^\[|\]$/g, "");
  const named = net.isIP(address) === 0 ? certificate.checkHost(host) : certificate.checkIP(address);
  if (named === undefined) {
    throw new Refusal("bad_config", `The certificate isn't for ${host}; it names ${names}.`);
  }
  if (certificate.validToDate.getTime() > nowUnixMs) return;
  throw new Refusal("bad_config", `The certificate ended at ${certificate.validToDate.toISOString()}.`);
}

function parsed(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch {
    return undefined;
  }
}
