/** Commands about the config, policies and identities. */
import type { CommandRow } from "../command.ts";

export const ruleCommands = [
  {
    name: "config check",
    arguments: "",
    summary: "Read the config file and say what is in force, what isn't yet, and what is wrong.",
    load: async () => (await import("../config.ts")).configCheck,
  },
  {
    name: "config docs",
    arguments: "",
    summary: "Write the reference page and the JSON Schema of the config file from its schema.",
    load: async () => (await import("../config.ts")).configDocs,
  },
  {
    name: "policy check",
    arguments: "[FILE ...]",
    summary: "Find what is wrong with policies before a call comes, and say how to mend it.",
    load: async () => (await import("../policy.ts")).policyCheck,
  },
  {
    name: "policy test",
    arguments: "[FILE ...]",
    summary:
      "Run the cases kept beside policies (*.policy-test.yaml); those of the config's folder by default.",
    load: async () => (await import("../policy.ts")).policyTest,
  },
  {
    name: "policy explain",
    arguments: "[CALL-ID]",
    summary: "Say rule by rule why a call of the audit log, or one that is described, is decided as it is.",
    load: async () => (await import("../policy-explain.ts")).policyExplain,
  },
  {
    name: "policy diff",
    arguments: "[OLD] NEW",
    summary:
      "List which calls of the audit log the rules in NEW would decide otherwise than those in OLD, or than was decided then, and why.",
    load: async () => (await import("../policy-diff.ts")).policyDiff,
  },
  {
    name: "policy reach",
    arguments: "CALLER",
    summary:
      "Say what one stolen identity could do now: what it could call, what could flow, whom it could act for.",
    load: async () => (await import("../policy-reach.ts")).policyReach,
  },
  {
    name: "policy suggest",
    arguments: "",
    summary:
      "Draft the least policy that passes the calls that were captured, with the evidence of each rule.",
    load: async () => (await import("../policy-suggest.ts")).policySuggest,
  },
  {
    name: "policy report",
    arguments: "[FILE]",
    summary:
      "Say which of the captured calls a policy would have refused or held: that of a file, or the config's own.",
    load: async () => (await import("../policy-suggest.ts")).policyReport,
  },
  {
    name: "policy bundle make",
    arguments: "[FILE]",
    summary:
      "Check policies, run their cases, and write both as a bundle signed with Ed25519 and ML-DSA-65, which gateways that name its keys take up.",
    load: async () => (await import("../policy-bundle.ts")).policyBundleMake,
  },
  {
    name: "policy bundle verify",
    arguments: "FILE",
    summary:
      "Verify a bundle's signatures, rules and cases; with --config, whether that config's gateway takes it up.",
    load: async () => (await import("../policy-bundle.ts")).policyBundleVerify,
  },
  {
    name: "policy bundle history",
    arguments: "",
    summary: "List the bundles that were in force: when, from where, signed by whom, and why.",
    load: async () => (await import("../policy-bundle.ts")).policyBundleHistory,
  },
  {
    name: "policy bundle roll-back",
    arguments: "[SEQUENCE | DIGEST]",
    summary:
      "Put a bundle in force that was before, by default the last one with a lower sequence; what the source has counts again when its sequence is higher than any before.",
    load: async () => (await import("../policy-bundle.ts")).policyBundleRollBack,
  },
  {
    name: "policy bundle follow",
    arguments: "",
    summary: "End a roll-back: the bundle with the highest sequence that was taken is in force again.",
    load: async () => (await import("../policy-bundle.ts")).policyBundleFollow,
  },
  {
    name: "identity export",
    arguments: "",
    summary: "Print this sidecar's private key, certificate and server root as PEM, for other TLS programs.",
    load: async () => (await import("../identity.ts")).identityExport,
  },
] as const satisfies readonly CommandRow[];
