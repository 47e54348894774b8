/** What a running gateway says of its cryptography (docs/formats/crypto-status.md). */
import { z } from "zod";

import { inForceSchema } from "../../crypto/suites/in-force.ts";

const when = z.iso.datetime();
const names = z.array(z.string());

const listenerDocument = z.object({
  /** Its address; of one for clients with tokens, the origin they know it by. */
  name: z.string(),
  address: z.string(),
  authentication: z.enum(["ml-dsa-mtls", "hybrid-mtls", "web-certificate"]),
  key_exchange: z.enum(["hybrid-required", "hybrid-preferred"]),
  /** TLS groups it takes now, in order of preference. */
  groups: names,
  /** Those on which nobody calls: who joins, or comes back after a while, may use them. */
  newcomers: names,
  /** Algorithms of the certificates it shows. */
  certificates: names,
  /** Algorithms of the classical identities it proves beside that. */
  classical: names,
});
export type ListenerDocument = z.output<typeof listenerDocument>;

/** How the stream between two peers goes; null where they aren't peers, or there is none. */
export const pathDocument = z
  .object({
    kind: z.enum(["local", "direct", "relayed"]),
    /** Why it is relayed. */
    why: z.string().nullable(),
    /** SPIFFE ID of the rendezvous that introduced the two. */
    rendezvous: z.string().nullable(),
  })
  .nullable();
export type PathDocument = NonNullable<z.output<typeof pathDocument>>;

const linkDocument = z.object({
  listener: z.string(),
  for: z.enum(["calls", "revocations"]),
  /** Whom it proved, or whose tokens came on it. */
  callers: names,
  remote: z.string(),
  group: z.string(),
  key_exchange: z.enum(["hybrid", "classical"]),
  /** Algorithm of the peer's certificate; null where it shows none of ours. */
  certificate: z.string().nullable(),
  /** Algorithm of the classical identity it proved beside that. */
  classical: z.string().nullable(),
  path: pathDocument,
});
export type LinkDocument = z.output<typeof linkDocument>;

const ownCertificateDocument = z.object({
  used: z.enum(["at the door", "for newcomers", "towards servers"]),
  algorithm: z.string(),
  classical: z.string().nullable(),
  not_after: when,
});

const negotiatedDocument = z.object({
  version: z.string(),
  group: z.string().nullable(),
  cipher: z.string(),
  /** Algorithm of the key in the server's certificate. */
  server_key: z.string().nullable(),
  at: when,
});

const serverDocument = z.object({
  name: z.string(),
  how: z.enum(["stdio", "http", "https", "peer", "forward"]),
  /** Program, origin, or patterns of origins. */
  target: z.string(),
  /** The server is on this machine. */
  local: z.boolean(),
  /** SPIFFE ID of a server behind `latticegate expose`. */
  peer: z.string().nullable(),
  /** What is offered on TLS links to it: the profile's groups with ML-KEM, or those without too. */
  offers: z.enum(["profile", "profile and classical"]).nullable(),
  /** The newest link; null before there was one, and without TLS. */
  negotiated: negotiatedDocument.nullable(),
  /** Of a server that is named as a peer, while there is a link to it. */
  path: pathDocument,
});
export type ServerDocument = z.output<typeof serverDocument>;

const issuerDocument = z.object({
  name: z.string(),
  issuer: z.string(),
  /** The last good token since the start: null if there was none. */
  last_token: z
    .object({
      /** JOSE name; null for one that the issuer was asked about. */
      algorithm: z.string().nullable(),
      at: when,
    })
    .nullable(),
});
export type IssuerDocument = z.output<typeof issuerDocument>;

export const liveDocument = z.object({
  version: z.string(),
  listen: z.string(),
  /** By which peers name it, where they may call it. */
  peer: z.string().nullable(),
  at: when,
  started: when,
  in_force: inForceSchema,
  listeners: z.array(listenerDocument),
  links: z.array(linkDocument),
  own_certificates: z.array(ownCertificateDocument),
  servers: z.array(serverDocument),
  /** Who introduces callers to it as a peer. */
  rendezvous: z.array(
    z.object({
      /** SPIFFE ID. */
      rendezvous: z.string(),
      address: z.string(),
      /** Where it sees this gateway; null while there is no link to it. */
      seen: z.string().nullable(),
    }),
  ),
  issuers: z.array(issuerDocument),
});
export type LiveDocument = Readonly<z.output<typeof liveDocument>>;
