/** What a handshake settled, as calls on its link know it. */
import type tls from "node:tls";

import { describedKey } from "../../crypto/keys.ts";
import { type KeyExchangeSuite, quantumLevel } from "../../crypto/suites/key-exchange.ts";
import type { Channel, ServerLink } from "../../model/channel.ts";
import { isLoopbackHost } from "./loopback.ts";

type LinkFacts = Pick<Channel, "group" | "keyExchange" | "level" | "version" | "profile">;

/** Of a link we let in. @param profile name of the one in force */
export function linkFacts(socket: tls.TLSSocket, group: KeyExchangeSuite, profile: string): LinkFacts {
  return {
    group: group.id,
    keyExchange: group.kind === "classical" ? "classical" : "hybrid",
    level: quantumLevel(group),
    version: socket.getProtocol() ?? "unknown",
    profile,
  };
}

/** Of a link to a server. */
export function serverLink(
  socket: tls.TLSSocket,
  group: KeyExchangeSuite,
): ServerLink & { readonly kind: "tls" } {
  const certificate = socket.getPeerX509Certificate();
  return {
    kind: "tls",
    group: group.id,
    keyExchange: group.kind,
    level: quantumLevel(group),
    version: socket.getProtocol() ?? "unknown",
    certificate: certificate === undefined ? "none" : describedKey(certificate.publicKey),
  };
}

/** OpenSSL names curves where we name groups. */
const curves: Readonly<Record<string, string>> = {
  prime256v1: "P-256",
  secp384r1: "P-384",
  secp521r1: "P-521",
};

/** The name of the group a client link negotiated, as far as Node knows it. */
export function groupNameOf(socket: tls.TLSSocket): string | undefined {
  const info = socket.getEphemeralKeyInfo();
  const name = info !== null && "name" in info ? info.name : undefined;
  return name === undefined ? undefined : (curves[name] ?? name);
}

/** Marks plain HTTP that leaves this machine; undefined for what doesn't, and for https. */
export function plainLink(url: string): ServerLink | undefined {
  const { protocol, hostname } = new URL(url);
  return protocol === "http:" && !isLoopbackHost(hostname) ? { kind: "plain" } : undefined;
}
