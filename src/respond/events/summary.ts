/** What every format says of an event: one sentence, how grave it is, and the agentic fields that CoSAI asks for. */
import { rowOf } from "../../kernel/row-of.ts";
import { tagsOf } from "../signal-kinds.ts";
import { isFinding, signalsIn } from "./event-groups.ts";
import type { Told } from "./told.ts";

export type Severity = "informational" | "low" | "medium" | "high" | "critical";

export interface Summary {
  readonly says: string;
  readonly severity: Severity;
  /** From 0 to 1; undefined where nothing was rated. */
  readonly score: number | undefined;
  /** Kinds of findings, each once. */
  readonly kinds: readonly string[];
  /** `ATLAS:…`, `ASI:…` */
  readonly tags: readonly string[];
  readonly server: string | undefined;
  readonly agentic: Agentic;
}

/** CoSAI's names for them. */
interface Agentic {
  /** Whom it was asked for, who began first, and last whoever asked. */
  readonly delegation_path: readonly string[];
  /** By what the one who asked was proven; `none` if by nothing. */
  readonly attestation_state: string;
  readonly correlation_id: string;
  readonly mcp_method?: string;
  /** The tool's, prompt's or resource's. */
  readonly mcp_name?: string;
}

export function summaryOf(told: Told): Summary {
  const { facts, tool } = told;
  const signals = signalsIn(told);
  const seen = signals.map(({ kind }) => kind);
  const kinds = [...new Set(facts["kinds"]?.split(" ") ?? seen)];
  const score = scoreIn(facts["score"]) ?? (signals.length === 0 ? undefined : topOf(signals));
  const tags = facts["tags"]?.split(" ").filter((tag) => tag !== "") ?? tagsOf(seen);
  const server = facts["server"] ?? tool?.split("/", 1)[0];
  const severity = severityOf(told, score);
  return { says: sentenceOf(told), severity, score, kinds, tags, server, agentic: agenticOf(told) };
}

function topOf(signals: readonly { readonly score: number }[]): number {
  return Math.max(...signals.map(({ score }) => score));
}

function scoreIn(text: string | undefined): number | undefined {
  const score = Number(text ?? "none");
  return score >= 0 && score <= 1 ? score : undefined;
}

/** Of what isn't rated by what was found. */
const fixed: Readonly<Record<string, Severity>> = {
  "kill.on": "critical",
  "kill.off": "high",
  "outlet.gap": "high",
  "outlet.lost": "high",
  "response.fail": "high",
  "response.act": "medium",
  "response.propose": "medium",
  "request.denied": "low",
  "link.denied": "low",
  "egress.deny": "low",
  "identity.refuse": "low",
  "policy.refuse": "medium",
};

function severityOf(told: Told, score: number | undefined): Severity {
  const { event, outcome } = told;
  const isRated = event.startsWith("incident.") || isFinding(told) || event.endsWith(".finding");
  if (isRated && score !== undefined) return rated(score);
  const known = rowOf(fixed, event);
  if (known !== undefined) return known;
  return outcome === "denied" || outcome === "error" ? "low" : "informational";
}

function rated(score: number): Severity {
  if (score >= 0.9) return "critical";
  if (score >= 0.6) return "high";
  return score >= 0.3 ? "medium" : "low";
}

/** The first of these facts that is there is a sentence for people already. */
const sentences = ["title", "says", "risk.because", "because", "reason"] as const;

function sentenceOf({ event, principal, tool, outcome, facts }: Told): string {
  const what = facts["method"] ?? facts["action"] ?? facts["what"] ?? facts["kind"];
  const about = [what, tool].filter((each) => each !== undefined && each !== null).join(" ");
  const head = `${event}: ${principal}${about === "" ? "" : ` ${about}`} (${outcome})`;
  const said = sentences.map((name) => facts[name]).find((text) => text !== undefined && text !== "");
  if (said !== undefined) return event.startsWith("incident.") ? said : `${head}: ${said}`;
  const rule = facts["rule"];
  return rule === undefined ? head : `${head} by rule ${rule}`;
}

function agenticOf({ callId, principal, tool, facts }: Told): Agentic {
  const method = facts["method"] ?? facts["asked"];
  const name = tool === null ? facts["resource"] : tool.slice(tool.indexOf("/") + 1);
  return {
    delegation_path: [...chainIn(facts["chain"]), principal],
    attestation_state: attestationOf(principal, facts),
    correlation_id: callId,
    ...(method !== undefined && { mcp_method: method }),
    ...(name !== undefined && { mcp_name: name }),
  };
}

function attestationOf(principal: string, facts: Told["facts"]): string {
  if (principal === "anonymous") return "none";
  const { proof, signature, "peer.cert.alg": algorithm, "link.auth": how } = facts;
  const proofs = [
    ...(proof === undefined ? [] : [`token:${proof}`]),
    ...(algorithm === undefined ? [] : [`certificate:${algorithm}`]),
    ...(how === undefined ? [] : [`link:${how}`]),
    ...(signature === undefined ? [] : [`message:${signature.replaceAll(" ", ":")}`]),
  ];
  return proofs.length === 0 ? "unstated" : proofs.join(" ");
}

function chainIn(text: string | undefined): readonly string[] {
  if (text === undefined) return [];
  try {
    const names: unknown = JSON.parse(text);
    if (Array.isArray(names)) return names.map(String);
  } catch {
    // The log cuts what is too long.
  }
  return [text];
}
