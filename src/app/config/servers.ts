/** `servers` in the config: what stands behind the gateway, and how it is reached. */
import { z } from "zod";

import { isPeerName, isPeerNameText } from "../../identity/peer-name.ts";
import { isOriginPattern } from "../../policy/origins.ts";
import { protocolVersions } from "../../wire/protocol-version.ts";
import { gateExemption, serverOwner } from "./gate.ts";
import { linkSchema } from "./link.ts";
import { readOnlyTools, serverSignatures } from "./signatures.ts";
import { declassifyingTools, serverLabels } from "./surroundings.ts";
import { toolsSchema } from "./tools.ts";
import { type CertificateFiles, type UpstreamAuth, upstreamAuthSchema } from "./upstream-auth.ts";
import { environmentName, secretSource } from "./values.ts";

export const serverName = /^[a-z0-9][a-z0-9._-]{0,63}$/;
export const serverNameHint = "expected a server name of lower-case letters, digits, '.', '_' and '-'";

export const probeSchema = z
  .strictObject({
    tool: z.string().min(1).describe("A tool that is harmless to call."),
    arguments: z.record(z.string(), z.unknown()).default({}).describe("Its arguments."),
  })
  .describe("A call that `latticegate doctor` and the self-check may make on this server.");

export const protocolVersion = z.enum(protocolVersions);

export const minimumProtocol = protocolVersion
  .optional()
  .describe("Oldest version of MCP that may be spoken with this server, instead of `protocol.minimum`.");

const serverEra = z
  .enum(["off", "auto", "legacy", "modern"])
  .default("off")
  .describe(
    "The era of MCP the server speaks: `legacy` up to 2025-11-25, `modern` from 2026-07-28 on, `auto` to ask it. Clients of the other era are served by translation then; `off`: not at all.",
  );

export const stdioServerSchema = z.strictObject({
  command: z
    .array(z.string().min(1))
    .min(1)
    .describe(
      "Program and arguments of a server that speaks MCP over stdio; started once for each caller's session.",
    ),
  cwd: z.string().optional().describe("Its working folder; relative to the config file."),
  env: z
    .record(environmentName, z.union([z.string(), secretSource]))
    .default({})
    .describe(
      "Environment variables: a value that is no secret, or the file or environment variable a secret stands in, read when the gateway starts.",
    ),
  pass_env: z
    .array(environmentName)
    .default([])
    .describe(
      "Names of the gateway's own environment variables the server may see, beside PATH, HOME, LANG and TZ.",
    ),
  minimum_protocol: minimumProtocol,
  bridge: serverEra,
  owner: serverOwner,
  exempt: gateExemption,
  tools: toolsSchema,
  link: linkSchema,
  signatures: serverSignatures,
  read_only: readOnlyTools,
  labels: serverLabels,
  declassify: declassifyingTools,
  probe: probeSchema.optional(),
});

export const httpServerSchema = z
  .strictObject({
    url: z
      .url({ protocol: /^(https?|mcp-pqc)$/ })
      .refine((text) => !isPeerNameText(text) || isPeerName(text), "expected mcp-pqc://PEER-ID/SERVER")
      .refine(
        (text) => hasNoUserinfo(text),
        "expected no user or password in the URL; use headers with a file or env",
      )
      .describe(
        "The server's MCP endpoint; of one that speaks HTTP+SSE, where its stream is opened; of a peer behind a NAT, its name (`mcp-pqc://PEER-ID/SERVER`, see `peers`).",
      ),
    transport: z
      .enum(["streamable-http", "http+sse"])
      .default("streamable-http")
      .describe("`http+sse` is the older transport, of MCP 2024-11-05; often at a path that ends in `/sse`."),
    peer: z
      .string()
      .optional()
      .describe(
        "SPIFFE ID of a server that runs behind `latticegate expose`; the link is then post-quantum and mutual. Of a peer's name, that of the exposed server by default.",
      ),
    relayed: z
      .boolean()
      .default(true)
      .describe(
        "Of a peer's name: whether calls may pass a relay, which sees ciphertext only. If not, they wait for a direct way, and fail where there is none.",
      ),
    headers: z
      .record(z.string(), secretSource)
      .default({})
      .describe(
        "Headers to send to the server, each from a file or an environment variable, e.g. its API token.",
      ),
    auth: upstreamAuthSchema.optional(),
    minimum_protocol: minimumProtocol,
    bridge: serverEra,
    owner: serverOwner,
    exempt: gateExemption,
    tools: toolsSchema,
    link: linkSchema,
    signatures: serverSignatures,
    read_only: readOnlyTools,
    labels: serverLabels,
    declassify: declassifyingTools,
    probe: probeSchema.optional(),
  })
  .refine(
    ({ url, auth, transport }) =>
      !isPeerNameText(url) || (auth === undefined && transport === "streamable-http"),
    {
      path: ["url"],
      error:
        "expected no `auth` and no other transport: a peer is shown the gateway's own identity over HTTP/2",
    },
  )
  .refine(({ peer, transport }) => peer === undefined || transport === "streamable-http", {
    path: ["transport"],
    error:
      "expected streamable-http: a server with a `peer` runs behind `latticegate expose`, which speaks that",
  })
  .refine(({ auth, transport }) => auth === undefined || transport === "streamable-http", {
    path: ["auth"],
    error: "expected a server of transport streamable-http; one over http+sse takes `headers`",
  })
  .refine(({ auth, headers }) => auth === undefined || !namesOurs(headers), {
    path: ["headers"],
    error: "expected no Authorization or DPoP beside `auth`: two credentials would contradict each other",
  })
  .refine(({ auth, peer }) => peer === undefined || auth === undefined, {
    path: ["auth"],
    error: "expected no `auth`: a server with a `peer` is shown the gateway's own identity",
  })
  .refine(
    ({ auth, url }) => auth === undefined || certificateOf(auth) === undefined || url.startsWith("https:"),
    {
      path: ["url"],
      error: "expected https: a client certificate is shown in TLS alone",
    },
  )
  .refine(({ auth, url }) => auth === undefined || isPrivate(url), {
    path: ["url"],
    error: "expected https: credentials are sent in the clear to loopback alone",
  });

export const forwardServerSchema = z.strictObject({
  forward: z
    .array(
      z
        .string()
        .refine(
          isOriginPattern,
          'expected an origin such as "http://tools.internal:8080", "http://*.internal" or "http://localhost:*"',
        ),
    )
    .min(1)
    .max(1000)
    .describe(
      "Origins that clients may name by themselves, through `latticegate connect --forward`: `http://host:port`, where the host may be `*.` and a suffix, and the port `*`.",
    ),
  minimum_protocol: minimumProtocol,
  owner: serverOwner,
  exempt: gateExemption,
  labels: serverLabels,
  declassify: declassifyingTools,
  link: linkSchema,
});

/** The client certificate that goes with an `auth`, if one does. */
export function certificateOf(auth: UpstreamAuth): CertificateFiles | undefined {
  return auth.kind === "mtls" ? auth : auth.tls;
}

function namesOurs(headers: Readonly<Record<string, unknown>>): boolean {
  return Object.keys(headers).some((name) => ["authorization", "dpop"].includes(name.toLowerCase()));
}

function isPrivate(text: string): boolean {
  const url = URL.parse(text);
  return (
    url !== null && (url.protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname))
  );
}

function hasNoUserinfo(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && url.username === "" && url.password === "";
}
