/** Parts of the config that are read and checked today and carried out later: each says so, with the reason. */
import { z } from "zod";

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
        .optional()
        .describe("OpenAPI document to make tools from. Not yet carried out."),
      threat_detection: z
        .boolean()
        .optional()
        .describe("Show its calls to the models; as `detect.calls`, for all of them."),
      tools: z
        .array(
          z.strictObject({
            name: z.string().min(1).describe("Name of the tool."),
            endpoint: z.string().min(1).describe("Path of the API operation behind it. Not yet carried out."),
            pqc_signing: z
              .enum(["ml-dsa"])
              .optional()
              .describe("Sign its calls and answers. Not yet carried out."),
          }),
        )
        .optional()
        .describe("Tools to offer from the API."),
      resources: z
        .array(
          z.strictObject({
            uri: z.string().min(1).describe("Address of the resource."),
            description: z.string().optional().describe("What it is."),
          }),
        )
        .optional()
        .describe("Resources to offer from the API. Not yet carried out."),
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

export function notYetParts(document: Planned): readonly NotYet[] {
  const { connection } = document;
  const parts: readonly (NotYet & { readonly asked: boolean })[] = [
    {
      at: "connection.schema_source",
      because: "tools aren't made from OpenAPI documents yet, so this connection offers none",
      asked: connection?.schema_source !== undefined,
    },
    {
      at: "connection.tools",
      because: "tools aren't made from API operations yet, and calls and answers aren't signed yet",
      asked: connection?.tools !== undefined,
    },
    {
      at: "connection.resources",
      because: "resources aren't made from APIs yet",
      asked: connection?.resources !== undefined,
    },
  ];
  return parts.filter((part) => part.asked).map(({ at, because }) => ({ at, because }));
}
