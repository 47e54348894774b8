/** A gateway with a listener for clients with access tokens, an issuer it trusts, and clients of both. */
import { createHash } from "node:crypto";
import { writeFile } from "node:fs/promises";
import http from "node:http";
import path from "node:path";
import tls from "node:tls";

import { calculateJwkThumbprint, type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";

import { atEnd, type Cleanup } from "./cleanup.ts";
import { stubServer, type StubServer, temporaryFolder, type TestGateway, testGateway } from "./gateway.ts";
import { tokenIssuer, type TokenIssuer } from "./token-issuer.ts";
import { type WebCertificate, webCertificate } from "./web-certificate.ts";

export const origin = "https://mcp.acme.test";
export const filesResource = `${origin}/mcp/files`;

export interface WebScene {
  readonly gateway: TestGateway;
  readonly issuer: TokenIssuer;
  readonly files: StubServer;
  readonly certificate: WebCertificate;
  /** The claims of a good access token, with those given instead. */
  readonly token: (claims?: Readonly<Record<string, unknown>>) => Promise<string>;
}

export interface WebSceneOptions {
  /** Lines of the listener, beside what every listener needs. */
  readonly listener?: string;
  /** Further servers. */
  readonly servers?: string;
  /** Whether the issuer is asked about tokens that are no JWT. */
  readonly introspects?: boolean;
  readonly policies?: string;
  /** Further sections of the config. */
  readonly sections?: string;
  /** Instead of the token issuer of the fixture. */
  readonly issuerUrl?: string;
  readonly filesUrl?: string;
  readonly clock?: { readonly nowUnixMs: () => number };
  /** With the state of a gateway that was there before. */
  readonly folder?: string;
  readonly certificates?: readonly WebCertificate[];
  /** Lines at the top of the config, such as the profile. */
  readonly top?: string;
}

export const clientsMayAll = `
policies:
  - name: clients
    callers: ["oauth:corp/client/*"]
    tools: ["files/*"]
    resources: ["files/*"]
    prompts: ["files/*"]
    effect: allow
    because: Clients of corp may use the files.
`;

export async function webScene(t: Cleanup, options: WebSceneOptions = {}): Promise<WebScene> {
  const { certificates = [webCertificate("ecdsa")] } = options;
  const folder = options.folder ?? (await temporaryFolder(t));
  const issuer = await tokenIssuer(t);
  const files = await stubServer(t);
  for (const [i, { certificate, key }] of certificates.entries())
    await writeCertificate(folder, i, { certificate, key });
  const introspection = `, introspection: { url: "${issuer.url}/introspect", client_id: gateway, client_secret: { file: secret } }`;
  await writeFile(path.join(folder, "secret"), "secret");
  const listed = certificates.map((_, i) => `{ certificate: web${i}.pem, key: web${i}.key }`).join(", ");
  const gateway = await testGateway(
    t,
    `${options.top ?? ""}
issuers:
  corp: { issuer: "${options.issuerUrl ?? issuer.url}"${options.introspects === true ? introspection : ""} }
servers:
  files: { url: "${options.filesUrl ?? files.url}" }
  other: { url: "${files.url}" }
${(options.servers ?? "").replace(/^(?=.)/gm, "  ")}
${options.policies ?? clientsMayAll}
${options.sections ?? ""}`,
    {
      folder,
      ...(options.clock && { clock: options.clock }),
      listen: `
  - 127.0.0.1:0
  - address: 127.0.0.1:0
    authentication: web-certificate
    url: ${origin}
    certificates: [${listed}]
    issuers: [corp]
${(options.listener ?? "").replace(/^(?=.)/gm, "    ")}
`,
    },
  );
  const [certificate] = certificates;
  if (certificate === undefined) throw new Error("no certificate");
  return {
    gateway,
    issuer,
    files,
    certificate,
    token: (claims = {}) =>
      issuer.token(
        { aud: filesResource, client_id: "app", sub: "alice", jti: crypto.randomUUID(), ...claims },
        { typ: "at+jwt" },
      ),
  };
}

export async function writeCertificate(
  folder: string,
  index: number,
  { certificate, key }: Pick<WebCertificate, "certificate" | "key">,
): Promise<void> {
  await writeFile(path.join(folder, `web${index}.pem`), certificate);
  await writeFile(path.join(folder, `web${index}.key`), key);
}

export function webAddress(gateway: TestGateway): { readonly host: string; readonly port: number } {
  const [host = "", port = ""] = (gateway.webAddresses.get(origin) ?? "").split(":");
  return { host, port: Number(port) };
}

export interface WebAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
  readonly challenges: readonly string[];
}

interface WebRequest {
  readonly method?: string;
  readonly path?: string;
  /** A value, or several for as many headers. */
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string;
}

export type WebClient = (request?: WebRequest) => Promise<WebAnswer>;

/** Posts a tool call, unless the request says otherwise; its one connection ends with the test. */
export function webClient(t: Cleanup, scene: WebScene, options: tls.ConnectionOptions = {}): WebClient {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const address = webAddress(scene.gateway);
  agent.createConnection = (_options, callback) => {
    const socket = tls.connect({
      ...address,
      servername: "mcp.acme.test",
      ca: scene.certificate.certificate,
      ...options,
    });
    socket.once("secureConnect", () => callback?.(null, socket));
    socket.once("error", (error) => callback?.(error, socket));
    return undefined;
  };
  atEnd(t, () => agent.destroy());
  return ({ method = "POST", path: at = "/mcp/files", headers = {}, body = pingCall } = {}) =>
    new Promise((resolve, reject) => {
      const request = http.request({
        agent,
        method,
        path: at,
        headers: {
          host: "mcp.acme.test",
          ...(method === "POST" && {
            "content-type": "application/json",
            accept: "application/json, text/event-stream",
          }),
          ...headers,
        },
      });
      request.once("error", reject);
      request.once("response", (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
        response.once("error", reject);
        response.once("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text,
            challenges: response.headersDistinct["www-authenticate"] ?? [],
          }),
        );
      });
      request.end(method === "POST" ? body : undefined);
    });
}

const pingCall = JSON.stringify({
  jsonrpc: "2.0",
  id: 1,
  method: "tools/call",
  params: { name: "read_file", arguments: {} },
});

/** A client's key, and proofs of it. */
export interface ProofKey {
  readonly thumbprint: string;
  readonly jwk: JWK;
  readonly privateKey: CryptoKey;
  readonly proof: (
    token: string,
    claims?: Readonly<Record<string, unknown>>,
    header?: Readonly<Record<string, unknown>>,
  ) => Promise<string>;
  /** The headers of a request with that token and a fresh proof. */
  readonly headers: (
    token: string,
    claims?: Readonly<Record<string, unknown>>,
  ) => Promise<{ authorization: string; dpop: string }>;
}

/** @param algorithm by its JOSE name */
export async function proofKey(algorithm = "ES256"): Promise<ProofKey> {
  const { publicKey, privateKey } = await generateKeyPair(algorithm, { extractable: true });
  const jwk = await exportJWK(publicKey);
  const proof: ProofKey["proof"] = async (token, claims = {}, header = {}) =>
    await new SignJWT({
      jti: crypto.randomUUID(),
      htm: "POST",
      htu: filesResource,
      iat: Math.floor(Date.now() / 1000),
      ath: createHash("sha256").update(token).digest("base64url"),
      ...claims,
    })
      .setProtectedHeader({ typ: "dpop+jwt", alg: algorithm, jwk, ...header })
      .sign(privateKey);
  return {
    thumbprint: await calculateJwkThumbprint(jwk),
    jwk,
    privateKey,
    proof,
    headers: async (token, claims) => ({
      authorization: `DPoP ${token}`,
      dpop: await proof(token, claims),
    }),
  };
}
