/** Facts of the cryptography in use as a gateway would have them, for what is computed from them alone. */
import type { CryptoFacts } from "../../src/app/crypto/crypto-facts.ts";
import type {
  LinkDocument,
  ListenerDocument,
  LiveDocument,
  ServerDocument,
} from "../../src/app/crypto/live-document.ts";
import type { StoredFacts } from "../../src/app/crypto/stored-facts.ts";
import { suiteIdsOf } from "../../src/app/log-keys.ts";
import { resolveProfile } from "../../src/crypto/suites/profiles.ts";

export const nowUnixMs = Date.parse("2026-11-21T12:00:00.000Z");
const minute = 60_000;
const since = "2026-11-01T08:00:00.000Z";
const at = "2026-11-21T11:59:00.000Z";
const hybrid = resolveProfile("hybrid");
const hybridGroups = hybrid.groups.map(({ id }) => id);

export const sidecars: ListenerDocument = {
  name: "192.0.2.7:8443",
  address: "192.0.2.7:8443",
  authentication: "ml-dsa-mtls",
  key_exchange: "hybrid-required",
  groups: hybridGroups,
  newcomers: [],
  certificates: ["ML-DSA-65"],
  classical: ["Ed25519"],
};

export const web: ListenerDocument = {
  name: "https://mcp.acme.test",
  address: "192.0.2.7:443",
  authentication: "web-certificate",
  key_exchange: "hybrid-preferred",
  groups: [...hybridGroups, "X25519", "P-256"],
  newcomers: [],
  certificates: ["ECDSA-P-256"],
  classical: [],
};

export const sidecarLink: LinkDocument = {
  listener: sidecars.name,
  for: "calls",
  callers: ["spiffe://acme.test/agent/a"],
  remote: "198.51.100.1:5000",
  group: "X25519MLKEM768",
  key_exchange: "hybrid",
  certificate: "ML-DSA-65",
  classical: "Ed25519",
  path: null,
};

export const webLink: LinkDocument = {
  ...sidecarLink,
  listener: web.name,
  callers: ["oauth:corp/client/app"],
  remote: "198.51.100.2:5000",
  certificate: null,
  classical: null,
};

export const server: ServerDocument = {
  name: "files",
  how: "stdio",
  target: "mcp-files",
  local: true,
  peer: null,
  offers: null,
  negotiated: null,
  path: null,
};

export function overTls(
  offers: ServerDocument["offers"],
  group: string,
  more: Partial<ServerDocument> = {},
): ServerDocument {
  const negotiated = {
    version: "TLSv1.3",
    group,
    cipher: "TLS_AES_256_GCM_SHA384",
    server_key: "ECDSA-P-256",
    at,
  };
  return { ...server, how: "https", target: "https://s.test", local: false, offers, negotiated, ...more };
}

export const held = {
  spiffeId: "spiffe://acme.test/agent/a",
  purpose: "client",
  keyAlgorithm: "ML-DSA-65",
  certificates: 1,
  notAfterUnixMs: nowUnixMs + 50 * minute,
};

export const root: StoredFacts["roots"][number] = {
  purpose: "client",
  generation: 1,
  state: "issuing",
  suite: "ML-DSA-65",
  notAfterUnixMs: Date.parse("2031-11-20T00:00:00.000Z"),
  isOutside: false,
};

const logKeys = suiteIdsOf(hybrid.log).map((algorithm) => ({ algorithm, keyId: "0a1b2c3d" }));

/** A gateway under `hybrid` with nothing but its log, and what is given. */
export function factsWith(
  parts: { readonly live?: Partial<LiveDocument>; readonly stored?: Partial<StoredFacts> } = {},
): CryptoFacts {
  const inForce = { profile: hybrid, sinceUnixMs: Date.parse(since), outgoing: [] };
  return {
    nowUnixMs,
    configured: "hybrid",
    inForce,
    gateway: {
      kind: "answered",
      live: {
        version: "0.1.0",
        listen: sidecars.address,
        peer: null,
        rendezvous: [],
        at,
        started: "2026-11-20T08:00:00.000Z",
        in_force: { profile: hybrid.document, since, outgoing: [] },
        listeners: [],
        links: [],
        own_certificates: [],
        servers: [],
        issuers: [],
        ...parts.live,
      },
    },
    webListeners: [],
    preferring: [],
    stored: {
      inForce,
      roots: [],
      held: [],
      joinTokens: [],
      logKeys,
      delegationKeys: [],
      manifests: [],
      callers: [],
      delegations: [],
      ...parts.stored,
    },
  };
}
