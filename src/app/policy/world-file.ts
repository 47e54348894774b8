/**
 * What a file of cases says of the world its calls are made in: the tools with their schemas, and what a config says of
 * callers, places and data, in its words. Rules can be tried and checked with it, without a gateway.
 */
import { z } from "zod";

import { typeOfSchema } from "../../expr/schema-types.ts";
import type { Known, KnownTool } from "../../policy/check/check-rules.ts";
import type { TrialWorld } from "../../policy/trial/described-call.ts";
import { surroundingsIn, surroundingsSections } from "../config/surroundings.ts";

const names = z.array(z.string().min(1).max(256)).max(1000);

const tool = z.strictObject({
  input: z.record(z.string(), z.unknown()).optional().describe("JSON Schema of its arguments."),
  output: z.record(z.string(), z.unknown()).optional().describe("JSON Schema of its structured answer."),
  read_only: z
    .boolean()
    .default(false)
    .describe("Whether an operator or a manifest says that it only reads."),
  labels: names.default([]).describe("Labels an operator gave it."),
});

export const worldMembers = {
  ...surroundingsSections,
  trust_domain: z.string().default("acme.test").describe("As in the config."),
  servers: names.default([]).describe("Names of servers beside those under `tools`."),
  virtual_servers: names.default([]).describe("Names of virtual servers, which no rule is about."),
  labels: names.default([]).describe("Labels of resources, prompts and servers, beside those of tools."),
  issuers: names.default([]).describe("Names of issuers of access tokens."),
  approvers: names.optional().describe("Everybody who may approve, such as `operator` and `person:ann`."),
  tools: z
    .record(z.string().min(1), z.record(z.string().min(1), tool))
    .default({})
    .describe("Tools by server and name."),
} as const;

const worldSchema = z.strictObject(worldMembers);
export type WorldDocument = z.output<typeof worldSchema>;

/** Where nothing is said of the world. */
export const worldOfNothing: WorldDocument = worldSchema.parse({});

/** The world that calls are tried in. */
export function trialWorldOf(document: WorldDocument): TrialWorld {
  const { trust_domain: trustDomain, tools } = document;
  const labels = Object.entries(tools).map(
    ([server, named]) => [server, { labels: labelsOf(named) }] as const,
  );
  return {
    trustDomain,
    surroundings: surroundingsIn({ ...document, servers: Object.fromEntries(labels) }),
    isReadOnly: (server, name) => tools[server]?.[name]?.read_only === true,
  };
}

/** What a check of rules knows of it. */
export function knownOf(document: WorldDocument): Known {
  const tools = Object.entries(document.tools).map(([server, named]) => {
    const known = Object.entries(named).map(
      ([name, { input, output, read_only: onlyReads }]) =>
        [name, knownTool({ input, output, onlyReads })] as const,
    );
    return [server, new Map(known)] as const;
  });
  return {
    trustDomain: document.trust_domain,
    servers: [...Object.keys(document.tools), ...document.servers],
    virtualServers: document.virtual_servers,
    issuers: document.issuers,
    groups: Object.keys(document.groups),
    networks: Object.keys(document.networks),
    labels: labelNames(document),
    ...(document.approvers && { approvers: document.approvers.map((name) => [name]) }),
    tools: new Map(tools),
  };
}

/** A tool by its declaration. */
export function knownTool(declared: {
  readonly input: unknown;
  readonly output: unknown;
  readonly onlyReads: boolean;
}): KnownTool {
  const { input, output, onlyReads } = declared;
  return {
    onlyReads,
    ...(input !== undefined && { args: typeOfSchema(input) }),
    ...(output !== undefined && { answer: typeOfSchema(output) }),
  };
}

function labelNames({ tools, data, labels }: WorldDocument): readonly string[] {
  const ofTools = Object.values(tools).flatMap((named) =>
    Object.values(named).flatMap((each) => each.labels),
  );
  return [...new Set([...labels, ...ofTools, ...data.map(({ name }) => name)])];
}

/** By label, the tools that have it, as a config has them. */
function labelsOf(tools: WorldDocument["tools"][string]): Readonly<Record<string, readonly string[]>> {
  const labels = new Set(Object.values(tools).flatMap((each) => each.labels));
  return Object.fromEntries(
    [...labels].map((label) => [
      label,
      Object.keys(tools).filter((name) => tools[name]?.labels.includes(label)),
    ]),
  );
}
