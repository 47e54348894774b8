/** `connection`, `p2p_connectivity` and `threat_detection`: one API, and what holds of all links and calls, in one short document. */
import { z } from "zod";

import { Refusal } from "../kernel/refusal.ts";
import {
  apiParts,
  apiResourceSchema,
  endpointSchema,
  type OpenapiServer,
  openapiServerSchema,
  whyNoApi,
} from "./config/openapi.ts";
import { serverName, serverNameHint } from "./config/servers.ts";

export interface NotYet {
  /** Where it stands in the file. */
  readonly at: string;
  readonly because: string;
}

export const plannedSections = {
  connection: z
    .strictObject({
      name: z.string().min(1).describe("What the connection is called."),
      protocol: z
        .enum(["mcp-pqc"])
        .describe("MCP over a post-quantum link, which is the only kind there is."),
      security_level: z
        .enum(["quantum_hardened"])
        .describe("Hybrid key exchange and ML-DSA identities required; what the profile `hybrid` does."),
      schema_source: z
        .string()
        .min(1)
        .optional()
        .describe(
          "OpenAPI document of the API, as `servers.NAME.openapi`; the connection is then a server of its name.",
        ),
      ...apiParts,
      threat_detection: z
        .boolean()
        .optional()
        .describe("Show its calls to the models; as `detect.calls`, for all of them."),
      tools: z
        .array(endpointSchema)
        .min(1)
        .optional()
        .describe("The tools to offer, and nothing else; without it, every operation of the document."),
      resources: z.array(apiResourceSchema).optional().describe("Resources to offer from the API."),
    })
    .optional()
    .describe("One API to be put behind the gateway as an MCP server."),
  p2p_connectivity: z
    .strictObject({
      enforce_pqc: z
        .literal(true)
        .optional()
        .describe("Every link is post-quantum; there is no way to turn it off."),
      allowed_algos: z
        .array(z.string().min(1))
        .min(1)
        .optional()
        .describe(
          "Narrows the profile to these algorithms, by their FIPS names, e.g. ML-KEM-768 and ML-DSA-65.",
        ),
    })
    .optional()
    .describe("What links between peers must be. In force for every listener and upstream."),
  threat_detection: z
    .strictObject({
      block_downgrade_attempts: z
        .literal(true)
        .optional()
        .describe(
          "Refuse peers that offer less than the profile; always in force, there is no way to turn it off.",
        ),
      alert_on_latency_spike: z
        .boolean()
        .optional()
        .describe(
          "Tell when a server's answers take longer than they did; as `detect.flows.alert_on_latency_spike`.",
        ),
    })
    .optional()
    .describe("What to watch for."),
};

type Planned = {
  readonly [K in keyof typeof plannedSections]?: z.output<(typeof plannedSections)[K]> | undefined;
};

export function notYetParts({ connection }: Planned): readonly NotYet[] {
  if (connection === undefined || connection.schema_source !== undefined) return [];
  return [{ at: "connection", because: "it names no schema_source, so there is nothing to offer yet" }];
}

/**
 * The servers, with the one that `connection` describes.
 * @throws Refusal `bad_config` if it can't be one of them
 */
export function serversWithConnection<Server>(
  servers: Readonly<Record<string, Server>>,
  connection: Planned["connection"],
): Readonly<Record<string, Server | OpenapiServer>> {
  if (connection?.schema_source === undefined) return servers;
  const { name, schema_source: openapi, tools: endpoints, resources } = connection;
  if (!serverName.test(name)) throw new Refusal("bad_config", `connection.name: ${serverNameHint}.`);
  if (Object.hasOwn(servers, name))
    throw new Refusal("bad_config", `connection.name: there is a server "${name}" already.`);
  const { base_url, networks, headers, query, cookies, basic, auth, timeout } = connection;
  // What it doesn't say is as any server has it.
  const server = openapiServerSchema.safeParse({ openapi });
  if (!server.success) throw new Refusal("bad_config", "connection: it can't be a server.");
  const said = { base_url, networks, headers, query, cookies, basic, auth, timeout, endpoints };
  const whole = { ...server.data, ...said, resources: resources ?? [] };
  const wrong = whyNoApi(whole);
  if (wrong !== undefined) throw new Refusal("bad_config", `connection.${wrong.at}: ${wrong.error}.`);
  return { ...servers, [name]: whole };
}
