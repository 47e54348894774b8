/** `gate` in the config: what a server has to have, or it isn't connected; and what a server says of itself for it. */
import { z } from "zod";

const requirements = ["owner", "link", "tools"] as const;

export const gateSchema = z
  .strictObject({
    owner: z.boolean().default(false).describe("Somebody is named as its `owner`."),
    link: z
      .enum(["any", "hybrid", "hybrid-mtls"])
      .default("any")
      .describe(
        "`hybrid`: it runs on this machine, or is reached over TLS with ML-KEM and nothing else; `hybrid-mtls`: it is a `peer` whose links prove a classical identity beside the ML-DSA one, or a command.",
      ),
    tools: z
      .enum(["any", "pinned", "approved", "signed"])
      .default("any")
      .describe(
        "`pinned`: its tools are held to what they were; `approved`: each after an operator or a publisher approved it; `signed`: each by a manifest of its `publishers` that is in force.",
      ),
  })
  .prefault({})
  .describe(
    "What every server has to have. One that doesn't have it isn't connected: no command is started, no link opened, and whoever calls is told what is missing.",
  );

export const serverOwner = z
  .string()
  .trim()
  .min(1)
  .max(256)
  .optional()
  .describe("Who answers for this server: a person or a team, and how to reach them.");

export const gateExemption = z
  .strictObject({
    from: z.array(z.enum(requirements)).min(1).describe("What this server needn't have."),
    because: z.string().trim().min(1).max(1000).describe("Why; said at each start."),
  })
  .optional()
  .describe("What of `gate` doesn't count for this server.");

export type GateRequirement = (typeof requirements)[number];
export type Gate = z.output<typeof gateSchema>;
