/** Doors for clients without an identity of this trust domain: a web certificate, and whatever certificate they show. */
import { constants, X509Certificate } from "node:crypto";
import net from "node:net";
import tls from "node:tls";

import { sha256 } from "../../crypto/hash.ts";
import { classicalGroups, type KeyExchangeSuite } from "../../crypto/suites/key-exchange.ts";
import type { Profile } from "../../crypto/suites/profiles.ts";
import { toBase64url } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Channel } from "../../model/channel.ts";
import { type Door, remoteOf } from "./front-door.ts";
import { sessionGroupId } from "./session-group.ts";
import { type Credentials, handshakeTimeoutMs, withLoggedErrors } from "./tls.ts";

export interface WebDoorsOptions {
  readonly profile: Profile;
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
  readonly doors: readonly Door[];
  /** New connections show these. Throws if a key isn't the one of its certificate, and nothing is changed then. */
  readonly renew: (credentials: readonly Credentials[]) => void;
}

/** @throws Refusal `bad_config` if a key isn't the one of its certificate */
export function openWebDoors(options: WebDoorsOptions): WebDoors {
  const groups = [...options.profile.groups, ...(options.allowsClassical ? classicalGroups : [])];
  const context = (credentials: readonly Credentials[], group: KeyExchangeSuite): tls.TlsOptions => ({
    cert: credentials.map(({ certificate }) => certificate),
    key: credentials.map(({ privateKey }) => privateKey),
    minVersion: "TLSv1.3",
    ciphers: options.profile.ciphers,
    // INVARIANT: one group each, so that which one it is is known by construction.
    ecdhCurve: group.id,
    honorCipherOrder: true,
    // A resumed link would bring no certificate for a token to be bound to.
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  checkContexts(options.credentials);
  const doors = groups.map((group): Door => {
    const server = tls.createServer(
      {
        ...context(options.credentials, group),
        // Nobody has to vouch for it: the token says which certificate it is bound to (RFC 8705 §3.1).
        requestCert: options.asksCertificates,
        rejectUnauthorized: false,
        handshakeTimeout: handshakeTimeoutMs,
        ALPNProtocols: ["http/1.1"],
      },
      (socket) => admit(socket, group, options),
    );
    return { group, admitted: withLoggedErrors(server, options.log) };
  });
  return {
    doors,
    renew: (credentials) => {
      for (const { admitted, group } of doors) admitted?.setSecureContext(context(credentials, group));
    },
  };
}

function admit(socket: tls.TLSSocket, group: KeyExchangeSuite, options: WebDoorsOptions): void {
  socket.on("error", () => socket.destroy());
  const remote = remoteOf(socket);
  if (sessionGroupId(socket.getSession()) !== group.groupId) {
    options.log.warn("link.refused", { remote, reason: `the session doesn't say that it used ${group.id}` });
    socket.destroy();
    return;
  }
  const certificate = options.asksCertificates ? socket.getPeerX509Certificate() : undefined;
  options.onLink(socket, {
    group: group.id,
    keyExchange: group.kind === "classical" ? "classical" : "hybrid",
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
