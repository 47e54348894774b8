/** One call in full, of what its entries say: its link, its risk, what was found, who signed. */
import type { EntryDraft } from "../model/entry.ts";
import {
  type CallLink,
  kindsIn,
  linkOf,
  listedCall,
  type ListedCall,
  type LoggedCall,
  numberIn,
} from "./logged-call.ts";

/** Of the last calls alone; times are in milliseconds since the call came in. */
export interface CallStage {
  readonly stage: "judge" | "journal" | "server" | "answer";
  readonly fromMs: number;
  readonly ms: number;
}

export interface CallInFull {
  readonly call: ListedCall;
  readonly chain: readonly string[];
  readonly because: string | null;
  readonly risk: {
    readonly call: number | null;
    readonly session: number | null;
    readonly source: string | null;
    readonly because: string | null;
  } | null;
  readonly findings: readonly {
    readonly kind: string;
    readonly at: string | null;
    readonly in: "call" | "answer";
  }[];
  readonly link: CallLink & {
    readonly version: string | null;
    readonly profile: string | null;
    readonly authentication: string | null;
    readonly regression: string | null;
  };
  readonly serverLink: {
    readonly keyExchange: "hybrid" | "classical" | "none";
    readonly group: string | null;
    readonly level: number | null;
    readonly version: string | null;
    readonly certificate: string | null;
  } | null;
  readonly signatures: { readonly call: string | null; readonly answer: string | null };
}

/** What the entries of a call say, for people. */
export function callInFull(call: LoggedCall): CallInFull {
  const facts = call.decision?.facts ?? {};
  const ending = call.outcome?.facts ?? {};
  const text = (from: EntryDraft["facts"], name: string): string | null => from[name] ?? null;
  return {
    call: listedCall(call),
    chain: namesIn(facts["chain"] ?? ending["chain"]),
    because: text(facts, "risk.because") ?? text(ending, "signature_fault"),
    risk:
      facts["risk"] === undefined
        ? null
        : {
            call: numberIn(facts["risk"]),
            session: numberIn(facts["risk.session"]),
            source: text(facts, "risk.source"),
            because: text(facts, "risk.because"),
          },
    findings: [
      ...kindsIn(facts["findings"]).map((each) => ({ ...each, in: "call" as const })),
      ...kindsIn(ending["answer_findings"]).map((each) => ({ ...each, in: "answer" as const })),
    ],
    link: {
      ...linkOf(call.decision),
      version: text(facts, "link.version"),
      profile: text(facts, "link.profile"),
      authentication: text(facts, "link.auth") ?? text(facts, "proof"),
      regression: text(facts, "link.regression"),
    },
    serverLink: serverLinkOf(ending),
    signatures: {
      call: signedBy(facts["signature"], facts["signer"]),
      answer: signedBy(ending["answer_signature"], ending["answer_signed"]),
    },
  };
}

function serverLinkOf(facts: EntryDraft["facts"]): CallInFull["serverLink"] {
  const group = facts["upstream_group"] ?? null;
  const kind = facts["upstream_link"];
  if (group === null && kind === undefined) return null;
  return {
    keyExchange: kind === "plain" ? "none" : kind === "classical" ? "classical" : "hybrid",
    group,
    level: numberIn(facts["upstream_level"]),
    version: facts["upstream_version"] ?? null,
    certificate: facts["upstream_cert"] ?? null,
  };
}

function signedBy(how: string | undefined, who: string | undefined): string | null {
  if (how === undefined && who === undefined) return null;
  return [how, who].filter((each) => each !== undefined).join(" by ");
}

function namesIn(text: string | undefined): readonly string[] {
  if (text === undefined) return [];
  try {
    const names: unknown = JSON.parse(text);
    return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
  } catch {
    return [];
  }
}
