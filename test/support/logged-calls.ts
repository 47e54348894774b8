/** Calls as the log has them, made up. */
import type { LoggedCall } from "../../src/control/logged-call.ts";
import type { EntryDraft } from "../../src/model/entry.ts";

interface Told {
  readonly callId?: string;
  readonly caller?: string;
  readonly server?: string;
  readonly tool?: string;
  readonly verdict?: "allowed" | "denied" | "held" | "error";
  readonly atUnixMs?: number;
  readonly ms?: number;
  readonly risk?: number;
  readonly findings?: string;
  readonly group?: string;
  readonly isPostQuantum?: boolean;
  readonly requestBytes?: number;
  readonly answerBytes?: number;
  readonly serverGroup?: string;
  /** Its server is asked over plain http. */
  readonly isPlain?: boolean;
  /** It was refused before anything was decided. */
  readonly isUndecided?: boolean;
}

/** Its decision, and its outcome. */
export function callEntries(told: Told): { readonly decision: EntryDraft; readonly outcome: EntryDraft } {
  const { callId = "c1", caller = "spiffe://a.example/agent/x", server = "files", atUnixMs = 1000 } = told;
  const { tool = `${server}/read`, verdict = "allowed", group = "X25519MLKEM768", ms = 3 } = told;
  const common = { callId, principal: caller, tool };
  const isRefused = verdict === "denied" || verdict === "held";
  return {
    decision: {
      ...common,
      event: "call.decision",
      atUnixMs,
      outcome: isRefused ? "denied" : "allowed",
      facts: {
        server,
        method: "tools/call",
        rule: isRefused ? "no-way" : "readers",
        "link.group": group,
        "link.level": told.isPostQuantum === false ? "0" : "3",
        "link.pq": String(told.isPostQuantum ?? true),
        "peer.cert.alg": "ML-DSA-65",
        request_bytes: String(told.requestBytes ?? 0),
        ...(told.risk !== undefined && { risk: String(told.risk) }),
        ...(told.findings !== undefined && { findings: told.findings }),
      },
    },
    outcome: {
      ...common,
      event: "call.outcome",
      atUnixMs: atUnixMs + ms,
      outcome: verdict === "held" ? "denied" : verdict,
      facts: {
        server,
        method: "tools/call",
        status: "200",
        duration_ms: String(ms),
        answer_bytes: String(told.answerBytes ?? 0),
        ...(isRefused && { reason: verdict }),
        ...(verdict === "error" && { reason: "upstream_failed" }),
        ...(told.serverGroup !== undefined && {
          upstream_group: told.serverGroup,
          upstream_cert: "ML-DSA-65",
        }),
        ...(told.isPlain === true && { upstream_link: "plain" }),
      },
    },
  };
}

export function loggedCall(told: Told): LoggedCall {
  const { decision, outcome } = callEntries(told);
  return told.isUndecided === true ? { outcome } : { decision, outcome };
}
