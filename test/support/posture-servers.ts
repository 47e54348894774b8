/**
 * Servers of all ages, each with what is true of its cryptography written beside it by hand. Each answers MCP over HTTP with
 * what `handler` does, behind TLS of its own.
 */
import http from "node:http";
import https from "node:https";
import type { AddressInfo } from "node:net";
import type { TlsOptions } from "node:tls";

import type { AuthenticationVerdict, KeyExchangeVerdict } from "../../src/inventory/posture/posture.ts";
import { outsideAuthority } from "./certificates.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";

interface PostureTruth {
  readonly keyExchange: KeyExchangeVerdict;
  readonly authentication: AuthenticationVerdict;
  /** In the server's order; absent where there is no TLS 1.3. */
  readonly groups?: readonly string[];
  readonly versions?: readonly string[];
  readonly profiles?: readonly string[];
}

export interface PostureServer {
  readonly name: string;
  readonly port: number;
  readonly truth: PostureTruth;
}

type Kind = "ec" | "ml-dsa-65" | "rsa-2048" | "rsa-1024";

interface Row {
  readonly name: string;
  readonly truth: PostureTruth;
  readonly keys: readonly Kind[];
  readonly wrong?: { readonly endsUnixMs?: number; readonly digest?: "sha1" };
  readonly tls?: TlsOptions;
}

const tls12 = { minVersion: "TLSv1.2", maxVersion: "TLSv1.2" } as const;
const tls13 = { minVersion: "TLSv1.3" } as const;

const rows: readonly Row[] = [
  { name: "plain", keys: [], truth: { keyExchange: "none", authentication: "none" } },
  {
    name: "tls12-rsa2048",
    keys: ["rsa-2048"],
    tls: { ...tls12, ciphers: "ECDHE-RSA-AES128-GCM-SHA256" },
    truth: { keyExchange: "classical", authentication: "classical", versions: ["TLSv1.2"], profiles: [] },
  },
  {
    name: "tls12-rsa1024",
    keys: ["rsa-1024"],
    tls: { ...tls12, ciphers: "ECDHE-RSA-AES128-GCM-SHA256@SECLEVEL=0" },
    truth: { keyExchange: "classical", authentication: "weak", versions: ["TLSv1.2"] },
  },
  {
    name: "tls12-key-transport",
    keys: ["rsa-2048"],
    tls: { ...tls12, ciphers: "AES128-GCM-SHA256" },
    truth: { keyExchange: "weak", authentication: "classical", versions: ["TLSv1.2"] },
  },
  {
    name: "tls10",
    keys: ["rsa-2048"],
    tls: { minVersion: "TLSv1", maxVersion: "TLSv1", ciphers: "DEFAULT@SECLEVEL=0" },
    truth: { keyExchange: "weak", authentication: "classical", versions: ["TLSv1"] },
  },
  {
    name: "x25519",
    keys: ["ec"],
    tls: { ...tls13, ecdhCurve: "X25519" },
    truth: {
      keyExchange: "classical",
      authentication: "classical",
      groups: ["x25519"],
      versions: ["TLSv1.3"],
      profiles: ["transition"],
    },
  },
  {
    name: "downgradable",
    keys: ["ec"],
    tls: { ...tls13, ecdhCurve: "X25519MLKEM768:X25519" },
    truth: { keyExchange: "downgradable", authentication: "classical", groups: ["X25519MLKEM768", "x25519"] },
  },
  {
    name: "hybrid-preferred",
    keys: ["ec"],
    tls: { ...tls13, ecdhCurve: "X25519MLKEM768/X25519" },
    truth: {
      keyExchange: "hybrid-preferred",
      authentication: "classical",
      groups: ["X25519MLKEM768", "x25519"],
      profiles: ["transition"],
    },
  },
  {
    name: "hybrid",
    keys: ["ec"],
    tls: { ...tls13, ecdhCurve: "X25519MLKEM768" },
    truth: {
      keyExchange: "hybrid",
      authentication: "classical",
      groups: ["X25519MLKEM768"],
      versions: ["TLSv1.3"],
    },
  },
  {
    name: "level-5",
    keys: ["ml-dsa-65"],
    tls: { ...tls13, ecdhCurve: "SecP384r1MLKEM1024/X25519MLKEM768" },
    truth: {
      keyExchange: "hybrid",
      authentication: "post-quantum",
      groups: ["SecP384r1MLKEM1024", "X25519MLKEM768"],
    },
  },
  {
    name: "ml-dsa",
    keys: ["ml-dsa-65"],
    tls: { ...tls13, ecdhCurve: "X25519MLKEM768" },
    truth: {
      keyExchange: "hybrid",
      authentication: "post-quantum",
      groups: ["X25519MLKEM768"],
      profiles: ["transition", "hybrid"],
    },
  },
  {
    name: "both-certificates",
    keys: ["ec", "ml-dsa-65"],
    tls: { ...tls13, ecdhCurve: "X25519MLKEM768/X25519" },
    truth: { keyExchange: "hybrid-preferred", authentication: "hybrid" },
  },
  {
    name: "expired",
    keys: ["ec"],
    wrong: { endsUnixMs: Date.now() - 3_600_000 },
    tls: { ...tls13, ecdhCurve: "X25519MLKEM768" },
    truth: { keyExchange: "hybrid", authentication: "weak" },
  },
  {
    name: "sha1",
    keys: ["ec"],
    wrong: { digest: "sha1" },
    tls: { ...tls13, ecdhCurve: "X25519", ciphers: "DEFAULT@SECLEVEL=0" },
    truth: { keyExchange: "classical", authentication: "weak" },
  },
  {
    name: "client-certificate",
    keys: ["ec"],
    tls: { ...tls13, ecdhCurve: "X25519MLKEM768", requestCert: true, rejectUnauthorized: true },
    truth: { keyExchange: "hybrid", authentication: "classical" },
  },
];

export async function postureServers(
  t: Cleanup,
  handler: (name: string) => http.RequestListener,
): Promise<readonly PostureServer[]> {
  const authority = outsideAuthority("Acme");
  return await Promise.all(
    rows.map(async ({ name, truth, keys, wrong, tls }) => {
      const issued = keys.map((kind) => authority.issue(name, kind, wrong));
      const server =
        keys.length === 0
          ? http.createServer(handler(name))
          : https.createServer(
              {
                ...tls,
                key: issued.map(({ key }) => key),
                cert: issued.map(({ certificate }) => certificate),
                ca: authority.certificate,
              },
              handler(name),
            );
      server.on("tlsClientError", () => undefined);
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      atEnd(t, () => {
        server.closeAllConnections();
        return new Promise<void>((resolve) => server.close(() => resolve()));
      });
      return { name, truth, port: (server.address() as AddressInfo).port };
    }),
  );
}
