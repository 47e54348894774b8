/** Sightings of a small company's servers, one for each way in which a link may be wanting. */
import type { KeyExchangeVerdict, Posture } from "../../src/inventory/posture/posture.ts";
import { postureOf } from "../../src/inventory/posture/verdicts.ts";
import type { ServerSighting, Sighting } from "../../src/inventory/sighting.ts";

export const lookedAtUnixMs = Date.UTC(2026, 10, 23);

export const clientFile = "/home/ada/.cursor/mcp.json";

const tls: Posture = postureOf(
  {
    kind: "tls",
    tls: {
      versions: ["TLSv1.2", "TLSv1.3"],
      groups: ["X25519MLKEM768", "X25519"],
      asksForHybrid: true,
      ciphers: ["TLS_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"],
      chains: [
        {
          certificates: [
            {
              subject: "CN=crm.internal",
              issuer: "CN=Old CA",
              serial: "01",
              sha256: "ab".repeat(32),
              key: "RSA",
              keyBits: 2048,
              signature: "sha256WithRSAEncryption",
              notBeforeUnixMs: Date.UTC(2026, 0, 1),
              notAfterUnixMs: Date.UTC(2027, 0, 1),
              bytes: 900,
            },
          ],
        },
      ],
      asksForClientCertificate: false,
    },
  },
  lookedAtUnixMs,
);

function postureWith(verdict: KeyExchangeVerdict): Posture {
  return { ...tls, keyExchange: { verdict, because: [`it is ${verdict}`], dates: [] } };
}

export function serverAt(url: string, more: Partial<ServerSighting> = {}): Sighting {
  const place = { kind: "http", url } as const;
  return { kind: "server", server: { place, evidence: { by: "network" }, ...more } };
}

const byClient = (name: string) => ({ by: "client", client: "cursor", file: clientFile, name }) as const;

export const sightings: readonly Sighting[] = [
  serverAt("http://10.0.0.5/mcp", {
    posture: postureOf({ kind: "clear" }, lookedAtUnixMs),
    authentication: { kind: "bearer" },
    evidence: byClient("billing"),
  }),
  serverAt("http://127.0.0.1:9000/mcp", {
    name: '<script>alert("x")</script>',
    posture: postureOf({ kind: "clear" }, lookedAtUnixMs),
    evidence: { by: "process", pid: 42, program: "node" },
  }),
  serverAt("https://weak.internal/mcp", { posture: postureWith("weak"), evidence: byClient("weak") }),
  serverAt("https://down.internal/mcp", { posture: postureWith("downgradable"), evidence: byClient("down") }),
  serverAt("https://old.internal/mcp", { posture: postureWith("classical"), evidence: byClient("old") }),
  serverAt("https://crm.internal/mcp", {
    name: "=SUM(A1)",
    posture: tls,
    evidence: byClient("crm"),
    authentication: { kind: "none" },
  }),
  {
    kind: "client",
    client: {
      client: "cursor",
      file: clientFile,
      entries: [
        {
          name: "billing",
          path: ["mcpServers", "billing"],
          isDisabled: false,
          reaches: {
            kind: "http",
            transport: "either",
            url: "http://10.0.0.5/mcp",
            headers: ["Authorization"],
          },
        },
        {
          name: "gated",
          path: ["mcpServers", "gated"],
          isDisabled: false,
          reaches: { kind: "connect", server: "files" },
        },
      ],
      secrets: [{ at: "mcpServers.billing.headers.Authorization", what: "a value of AUTHORIZATION" }],
    },
  },
];
