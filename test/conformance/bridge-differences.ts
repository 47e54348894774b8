/** What a bridge between the eras can't give: the checks that differ from a server of the client's own era, and why. */
import type { Suite } from "./bridge-suites.ts";
import type { Change, Reason } from "./explain.ts";

/** At a server of the other era; the same over HTTP and stdio. */
export function explanations({ era }: Pick<Suite, "era">): readonly Reason[] {
  return era === "modern" ? legacyServer : [];
}

/** Checks of one scenario that pass at a modern server, and how they end at a legacy one. */
function lost(scenario: string, checks: readonly string[], proxied = "FAILURE"): readonly Change[] {
  const times = { [`server-${scenario}`]: 1 };
  return checks.map((check) => ({ check, direct: "SUCCESS", proxied, times }));
}

const legacyServer: readonly Reason[] = [
  {
    name: "the names of questions",
    because:
      "A modern server names what it asks for, and the suite knows its fixture's name. The request a legacy server sends has no name, so it gets one here, and only that one answers it.",
    changes: [
      ...lost("input-required-result-basic-elicitation", ["sep-2322-elicitation-incomplete"]),
      ...lost("input-required-result-basic-elicitation", ["sep-2322-elicitation-complete"], "absent"),
      ...lost("input-required-result-ignore-extra-params", ["sep-2322-ignore-unexpected-params"], "WARNING"),
    ],
  },
  {
    name: "capabilities a client hasn't",
    because:
      "A legacy server that can't ask its client fails in its own words, here with a tool's error. That it was for want of a capability can't be told from it.",
    changes: lost("server-stateless", [
      "sep-2575-server-rejects-undeclared-capability",
      "sep-2575-missing-capability-http-400",
    ]),
  },
  {
    name: "tasks",
    because:
      "The extension's tasks are begun by the server and fetched by the client; legacy tasks are begun by the client. They aren't translated, and the extension isn't announced.",
    changes: [
      ...lost("tasks-capability-negotiation", [
        "tasks-extension-advertised",
        "sep-2663-tasks-methods-non-declaring",
        "tasks-per-request-meta-opt-in",
      ]),
      ...lost("tasks-dispatch-and-envelope", [
        "tasks-server-directed-creation-no-hint",
        "tasks-result-type-complete-on-non-task-responses",
        "sep-2663-durable-create-strong-consistency",
        "sep-2663-tasks-get-invalid-task-id-32602",
      ]),
      ...lost("tasks-lifecycle", [
        "sep-2663-result-type-task-on-create",
        "sep-2663-tasks-get-status-working",
        "sep-2663-tasks-get-status-completed",
        "sep-2663-tool-error-uses-completed-status",
        "sep-2663-tasks-get-status-failed",
        "sep-2663-cancel-ack-empty-result",
        "tasks-cancel-terminal-idempotent-ack",
      ]),
      ...lost("tasks-mrtr-composition", ["sep-2663-mrtr-synchronous-before-task-creation"]),
      ...lost("tasks-mrtr-input", [
        "sep-2663-tasks-get-status-input-required",
        "tasks-mrtr-tasks-update-resumes",
        "tasks-mrtr-partial-fulfillment",
      ]),
      ...lost("tasks-request-headers", [
        "sep-2663-routing-headers-accepted-on-tasks-get",
        "sep-2663-server-rejects-mismatched-mcp-name-on-tasks-get",
      ]),
      ...lost(
        "tasks-request-state-removal",
        ["tasks-create-result-no-request-state", "tasks-get-detailed-no-request-state"],
        "absent",
      ),
      {
        check: "tasks-request-state-removal-setup",
        direct: "absent",
        proxied: "FAILURE",
        times: { "server-tasks-request-state-removal": 1 },
      },
      ...lost("tasks-wire-fields", [
        "tasks-wire-field-renames",
        "tasks-no-early-ttl-expiry",
        "tasks-no-related-task-meta-on-inlined-result",
      ]),
    ],
  },
];
