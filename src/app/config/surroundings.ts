/** `groups`, `networks`, `zone`, `data`, `quantum`, and the labels of servers' tools: what rules' conditions ask for by name. */
import { z } from "zod";

import { parseNetwork } from "../../expr/network.ts";
import { parseDuration, zoneClock } from "../../expr/time.ts";
import { isTarget } from "../../policy/patterns.ts";
import type { SurroundingsDocument } from "../../policy/surroundings.ts";

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
const patterns = z.array(z.string().min(1).max(2048)).min(1).max(1000);
const targets = z
  .array(z.string().min(1).max(2048).refine(isTarget, 'expected "server/name", or "*" for all'))
  .min(1)
  .max(1000)
  .optional();

const shelfLife = z.string().transform((text, context) => {
  const value = parseDuration(text);
  if (value !== undefined && value > 0) return value;
  context.addIssue({
    code: "custom",
    message: `expected a duration such as "30y", "18w" or "90d", found "${text}"`,
  });
  return z.NEVER;
});

const day = z.iso.date().transform((text) => Date.parse(`${text}T00:00:00Z`));

export const surroundingsSections = {
  groups: z
    .record(name, patterns)
    .default({})
    .describe(
      "Groups of callers by name, as patterns of their names; conditions see them as `caller.groups`.",
    ),
  networks: z
    .record(
      name,
      z
        .array(
          z
            .string()
            .refine((text) => parseNetwork(text) !== undefined, 'expected a CIDR block such as "10.0.0.0/8"'),
        )
        .min(1)
        .max(1000),
    )
    .default({})
    .describe(
      "Networks by name, as CIDR blocks; conditions see those that hold the caller's address as `place.networks`.",
    ),
  zone: z
    .string()
    .refine(
      (text) => zoneClock(text) !== undefined,
      'expected the name of a time zone such as "Europe/Berlin"',
    )
    .default("UTC")
    .describe("The time zone of `time` in conditions."),
  data: z
    .array(
      z.strictObject({
        name: name.describe("What conditions see as `resource.class`."),
        tools: targets.describe(
          "Tools as `server/tool` that give or take such data; `*` is any run of characters.",
        ),
        resources: targets.describe("Resources as `server/uri`."),
        prompts: targets.describe("Prompts as `server/prompt`."),
        shelf_life: shelfLife.describe(
          "For how long it must stay secret, e.g. `30y`; `resource.shelf_life`.",
        ),
      }),
    )
    .max(1000)
    .default([])
    .describe(
      "Kinds of data and where they are; of several that match, the one that must stay secret longest counts.",
    ),
  quantum: z
    .strictObject({
      earliest: day
        .prefault("2030-01-01")
        .describe(
          "The day on which a quantum computer may break classical key exchange; `quantum.earliest`.",
        ),
    })
    .prefault({})
    .describe("What is assumed of quantum computers, for Mosca's inequality in conditions."),
} as const;

const labelled = z.union([
  patterns,
  z.literal("*"),
  z.strictObject({
    tools: patterns.optional().describe("Patterns of tools' names."),
    resources: patterns.optional().describe("Patterns of URIs."),
    prompts: patterns.optional().describe("Patterns of prompts' names."),
  }),
]);

export const serverLabels = z
  .record(name, labelled)
  .default({})
  .describe(
    "Labels, each with patterns of the tools that have it; or `*` for all of the server, or patterns by kind. Conditions see those of a tool as `tool.labels`, and ask `flow` for those of what was read.",
  );

export const declassifyingTools = z
  .array(z.string().min(1).max(2048))
  .max(1000)
  .default([])
  .describe(
    "Patterns of tools whose answers carry no labels on: what such a tool makes of what it is given may go where that may not.",
  );

type Sections = {
  readonly [Name in keyof typeof surroundingsSections]: z.output<(typeof surroundingsSections)[Name]>;
};

export function surroundingsIn({
  groups,
  networks,
  zone,
  data,
  quantum,
  servers,
}: Sections & {
  readonly servers: Readonly<
    Record<
      string,
      { readonly labels: SurroundingsDocument["labels"][string]; readonly declassify?: readonly string[] }
    >
  >;
}): SurroundingsDocument {
  return {
    groups,
    networks,
    zone,
    data: data.map(({ shelf_life: shelfLifeMs, name: kind, tools, resources, prompts }) => ({
      name: kind,
      shelfLifeMs,
      ...(tools && { tools }),
      ...(resources && { resources }),
      ...(prompts && { prompts }),
    })),
    quantumEarliestUnixMs: quantum.earliest,
    labels: Object.fromEntries(Object.entries(servers).map(([server, { labels }]) => [server, labels])),
    declassify: Object.fromEntries(
      Object.entries(servers).flatMap(([server, { declassify = [] }]) =>
        declassify.length === 0 ? [] : [[server, declassify] as const],
      ),
    ),
  };
}
