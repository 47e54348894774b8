/** Commands about what people look after: where servers may go, who is told, pins, tools, approvals. */
import type { CommandRow } from "../command.ts";

export const watchCommands = [
  {
    name: "egress list",
    arguments: "",
    summary: "List where the server of this `expose --sandbox` may not go any more, and where it has been.",
    load: async () => (await import("../egress.ts")).egressList,
  },
  {
    name: "egress lift",
    arguments: "HOST:PORT",
    summary:
      "Let a sandboxed server go to a destination again that was blocked after a burst; it counts at once.",
    load: async () => (await import("../egress.ts")).egressLift,
  },
  {
    name: "outlets list",
    before: "outlets",
    arguments: "",
    summary: "List who is told outside of the audit log: how far, how far behind, and what went wrong last.",
    load: async () => (await import("../outlets.ts")).outlets,
  },
  {
    name: "outlets test",
    arguments: "NAME",
    summary: "Send one test event to an outlet now, and say what its other end said.",
    load: async () => (await import("../outlets.ts")).outletsTest,
  },
  {
    name: "outlets replay",
    arguments: "NAME",
    summary: "Have an outlet tell what it told before again, under the same uids.",
    load: async () => (await import("../outlets.ts")).outletsReplay,
  },
  {
    name: "pins list",
    arguments: "",
    summary: "List whose message keys this end knows, since when, and whether a person approved them.",
    load: async () => (await import("../pins.ts")).pinsList,
  },
  {
    name: "pins approve",
    arguments: "SPIFFE-ID FINGERPRINT",
    summary:
      "Accept message keys by their fingerprint, before or after they were seen; no others count under that name from then on.",
    load: async () => (await import("../pins.ts")).pinsApprove,
  },
  {
    name: "pins forget",
    arguments: "SPIFFE-ID",
    summary: "Forget an end's message keys, and that it signs: it begins anew, as if it had never been met.",
    load: async () => (await import("../pins.ts")).pinsForget,
  },
  {
    name: "pins fingerprint",
    arguments: "",
    summary: "Print the fingerprint of this end's own message keys, for others to compare and approve.",
    load: async () => (await import("../pins.ts")).pinsFingerprint,
  },
  {
    name: "tools list",
    arguments: "[SERVER]",
    summary: "List servers' tools: pinned, changed, new, held or removed, and whether they only read.",
    load: async () => (await import("../tools.ts")).toolsList,
  },
  {
    name: "tools diff",
    arguments: "SERVER [TOOL]",
    summary:
      "Show what differs from what was pinned, with hidden text shown as what it is; exits with 1 if something does.",
    load: async () => (await import("../tools.ts")).toolsDiff,
  },
  {
    name: "tools history",
    arguments: "SERVER",
    summary: "List what was pinned when, by whom and why.",
    load: async () => (await import("../tools.ts")).toolsHistory,
  },
  {
    name: "tools approve",
    arguments: "SERVER [TOOL ...]",
    summary:
      "Take up what a server's tools are now; a running gateway follows at once, and it goes on record.",
    load: async () => (await import("../tools.ts")).toolsApprove,
  },
  {
    name: "tools roll-back",
    arguments: "SERVER",
    summary:
      "Pin what was pinned before; tools that are something else now aren't called until approved again.",
    load: async () => (await import("../tools.ts")).toolsRollBack,
  },
  {
    name: "tools sign",
    arguments: "(SERVER | URL | -- COMMAND ...)",
    summary:
      "List a server's tools and write them as a manifest signed with Ed25519 and ML-DSA-65; gateways that name its keys take changes up from it.",
    load: async () => (await import("../tools-sign.ts")).toolsSign,
  },
  {
    name: "approvals list",
    arguments: "",
    summary: "List the calls that wait for people, newest first.",
    load: async () => (await import("../approvals.ts")).approvalsList,
  },
  {
    name: "approvals show",
    arguments: "ID",
    summary:
      "Show one held call: who asks for what with which arguments, which rules hold it, who has decided.",
    load: async () => (await import("../approvals.ts")).approvalsShow,
  },
  {
    name: "approvals approve",
    arguments: "ID",
    summary: "Approve a held call: that very call may be made once; it goes on record.",
    load: async () => (await import("../approvals.ts")).approvalsApprove,
  },
  {
    name: "approvals deny",
    arguments: "ID",
    summary: "Deny a held call, also one that is approved and not made yet; it goes on record.",
    load: async () => (await import("../approvals.ts")).approvalsDeny,
  },
  {
    name: "approvals token",
    arguments: "",
    summary:
      "Make a token for a person who is to approve, and its hash for `approvals.people` in the config.",
    load: async () => (await import("../approvals.ts")).approvalsToken,
  },
] as const satisfies readonly CommandRow[];
