/** A server of the config that is made of an OpenAPI document: which of it, where the API is, and what is shown to it. */
import { z } from "zod";

import { parseNetwork } from "../../expr/network.ts";
import { methods } from "../../openapi/operations.ts";
import { gateExemption, serverOwner } from "./gate.ts";
import { linkSchema } from "./link.ts";
import { minimumProtocol, probeSchema } from "./servers.ts";
import { readOnlyTools, serverSignatures } from "./signatures.ts";
import { declassifyingTools, serverLabels } from "./surroundings.ts";
import { toolsSchema } from "./tools.ts";
import { upstreamAuthSchema } from "./upstream-auth.ts";
import { durationMs, secretSource } from "./values.ts";

const name = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, "expected a tool's name of up to 64 letters, digits, '_', '-' and '.'");
const endpoint = z.string().min(1).max(2048);
const secrets = z.record(z.string().min(1).max(256), secretSource).default({});
const patterns = z.array(z.string().min(1).max(2048)).min(1).max(1000).optional();

export const endpointSchema = z.strictObject({
  name: name.describe("Name of the tool."),
  endpoint: endpoint.describe(
    'The API operation behind it: its path, with the method before it where the path has several ("POST /v1/orders"), or its operationId.',
  ),
  pqc_signing: z
    .enum(["ml-dsa"])
    .optional()
    .describe(
      "Its calls are taken only with an ML-DSA signature of their own, and its answers and its manifest are signed so, too.",
    ),
});

export const apiResourceSchema = z.strictObject({
  uri: z
    .string()
    .regex(/^[a-z][a-z0-9+.-]*:\/\/\S{1,2000}$/i, 'expected a URI such as "mcp://inventory/records"')
    .describe("Address of the resource."),
  description: z.string().max(4000).optional().describe("What it is."),
  endpoint: endpoint
    .optional()
    .describe(
      "The GET that reads it. Without it, the one GET of the document whose path ends with the URI's path; if there is none, or more than one, the gateway doesn't start, and says so.",
    ),
});

const baseUrl = z.url({ protocol: /^https?$/ }).refine((text) => {
  const url = URL.parse(text);
  return url !== null && url.username + url.password + url.search + url.hash === "";
}, "expected an http or https URL without user, password, query and fragment");

const networks = z
  .array(
    z
      .string()
      .refine((text) => parseNetwork(text) !== undefined, 'expected a CIDR block such as "10.0.0.0/8"'),
  )
  .max(100)
  .default([]);

/** What says where the API is and what is shown to it; the same for `connection`. */
export const apiParts = {
  base_url: baseUrl
    .optional()
    .describe(
      "Where the API is; by default the first https server of the document. An address in it, or `localhost`, may be connected to wherever it is.",
    ),
  networks: networks.describe(
    "Networks beside the public ones that the API's host may be in, as CIDR blocks. Its name may lead nowhere else: not to this machine, to private networks, or to where clouds keep credentials.",
  ),
  headers: secrets.describe(
    "Headers to send to the API, each from a file or an environment variable, e.g. its API key.",
  ),
  query: secrets.describe("The same as parameters of the query, for APIs whose key stands there."),
  cookies: secrets.describe("The same as cookies."),
  basic: z
    .strictObject({
      username: z
        .string()
        .min(1)
        .max(256)
        .regex(/^[^:\p{Cc}]+$/u, "expected a name without a colon"),
      password: secretSource.describe("The password."),
    })
    .optional()
    .describe("User and password of HTTP basic authentication (RFC 7617)."),
  auth: upstreamAuthSchema.optional(),
  timeout: durationMs.prefault("30s").describe("How long the API may take for one request."),
};

export const openapiServerSchema = z
  .strictObject({
    openapi: z
      .string()
      .min(1)
      .describe(
        "File with the API's description, OpenAPI 2.0, 3.0 or 3.1 in JSON or YAML; relative to the config file. Its operations are the server's tools; files it refers to are read from its folder alone.",
      ),
    ...apiParts,
    only: z
      .strictObject({
        tags: patterns.describe("Those with one of these tags."),
        paths: patterns.describe('Those whose path is like one of these; "*" is any run of characters.'),
        operations: patterns.describe('Those of these operationIds, or "GET /path".'),
        methods: z.array(z.enum(methods)).min(1).optional().describe("Those of these methods."),
      })
      .optional()
      .describe("Which operations become tools; an operation must meet each that is said."),
    endpoints: z
      .array(endpointSchema)
      .min(1)
      .max(10_000)
      .optional()
      .describe("The tools by name, and nothing else, each with the operation behind it."),
    resources: z
      .array(apiResourceSchema)
      .max(1000)
      .default([])
      .describe("Resources, each read by a GET without parameters of its own."),
    overlay: z
      .string()
      .min(1)
      .optional()
      .describe("File with other names, titles and descriptions for tools; docs/guide/openapi.md."),
    minimum_protocol: minimumProtocol,
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
  .superRefine((server, context) => {
    const wrong = whyNoApi(server);
    if (wrong !== undefined) context.addIssue({ code: "custom", path: [wrong.at], message: wrong.error });
  });

export type OpenapiServer = z.output<typeof openapiServerSchema>;

interface Said {
  readonly base_url?: string | undefined;
  readonly only?: unknown;
  readonly endpoints?: unknown;
  readonly auth?: unknown;
  readonly basic?: unknown;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly query: object;
  readonly cookies: object;
}

/** What of it contradicts the rest; undefined if nothing does. */
export function whyNoApi(said: Said): { readonly at: string; readonly error: string } | undefined {
  const { only, endpoints, auth, basic, headers, query, cookies } = said;
  if (only !== undefined && endpoints !== undefined)
    return { at: "only", error: "expected no `only` beside `endpoints`, which names each tool" };
  if (auth !== undefined && basic !== undefined)
    return {
      at: "basic",
      error: "expected no `basic` beside `auth`: two credentials would contradict each other",
    };
  const names = Object.keys(headers).map((name) => name.toLowerCase());
  if ((auth ?? basic) !== undefined && names.some((name) => ["authorization", "dpop"].includes(name)))
    return { at: "headers", error: "expected no Authorization or DPoP beside `auth` or `basic`" };
  if (names.includes("cookie"))
    return { at: "headers", error: "expected no Cookie; name each under `cookies`" };
  const isShown = [headers, query, cookies].some((each) => Object.keys(each).length > 0);
  if ((isShown || (auth ?? basic) !== undefined) && !isPrivate(said.base_url))
    return { at: "base_url", error: "expected https: credentials are sent in the clear to loopback alone" };
  return undefined;
}

/** The document's own servers are taken with https alone. */
function isPrivate(text: string | undefined): boolean {
  const url = text === undefined ? undefined : URL.parse(text);
  if (url === undefined || url === null) return true;
  return url.protocol === "https:" || ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
}
