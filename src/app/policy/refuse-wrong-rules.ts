/** Rules with a mistake that shows without knowing a tool don't load: what they do isn't what they say. */
import { Refusal } from "../../kernel/refusal.ts";
import { type ConfiguredPeople, approvingPeople } from "../approvals/approvers.ts";
import { errorsOf, type Known } from "../../policy/check/check-rules.ts";
import type { PolicyDocument } from "../../policy/rules.ts";

/** @throws Refusal `bad_config` that names each */
export function refuseWrongRules(rules: readonly PolicyDocument[], config: NamesOfConfig): void {
  const wrong = errorsOf(rules, { ...namesInConfig(config), tools: new Map() });
  if (wrong.length === 0) return;
  const lines = wrong.map(({ rule, wrong: what, mend }) => `  ${rule ?? "all"}: ${what} ${mend}`);
  throw new Refusal(
    "bad_config",
    `Policies aren't right (latticegate policy check has the lines):\n${lines.join("\n")}`,
  );
}

/** What of a config has names that rules can say. */
export interface NamesOfConfig
  extends
    Readonly<
      Record<"virtual_servers" | "issuers" | "groups" | "networks", Readonly<Record<string, unknown>>>
    >,
    ConfiguredPeople {
  readonly trust_domain: string;
  readonly servers: Readonly<Record<string, { readonly labels: Readonly<Record<string, unknown>> }>>;
  readonly data: readonly { readonly name: string }[];
}

export function namesInConfig(config: NamesOfConfig): Omit<Known, "tools"> {
  const people = Object.entries(approvingPeople(config)).map(([name, { is }]) => [`person:${name}`, ...is]);
  return {
    trustDomain: config.trust_domain,
    servers: Object.keys(config.servers),
    virtualServers: Object.keys(config.virtual_servers),
    issuers: Object.keys(config.issuers),
    groups: Object.keys(config.groups),
    networks: Object.keys(config.networks),
    labels: labelsIn(config),
    approvers: [["operator"], ...people],
  };
}

function labelsIn({ servers, data }: NamesOfConfig): readonly string[] {
  const ofServers = Object.values(servers).flatMap(({ labels }) => Object.keys(labels));
  return [...new Set([...ofServers, ...data.map(({ name }) => name)])];
}
