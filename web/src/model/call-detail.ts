/** One call in full, as the API has it. */
import { fields, list, number, text, texts } from "./fields.ts";
import { type Call, type CallLink, readCall, readLink } from "./status.ts";

export interface Stage {
  readonly stage: string;
  readonly fromMs: number;
  readonly ms: number;
}

export interface RuleSaid {
  readonly rule: string;
  readonly effect: string;
  readonly isShadow: boolean;
  readonly because: string;
  readonly counts: string;
  readonly why: readonly string[];
  readonly condition: string | undefined;
  readonly values: readonly { readonly path: string; readonly value: string }[];
}

export interface Entry {
  readonly index: number;
  readonly event: string;
  readonly atUnixMs: number;
  readonly outcome: string;
  readonly facts: readonly (readonly [string, string])[];
}

export interface CallDetail {
  readonly call: Call;
  readonly chain: readonly string[];
  readonly because: string;
  readonly stages: readonly Stage[];
  readonly risk: {
    readonly call: number | null;
    readonly session: number | null;
    readonly because: string;
  } | null;
  readonly findings: readonly { readonly kind: string; readonly at: string; readonly in: string }[];
  readonly link: CallLink & { readonly authentication: string; readonly regression: string };
  readonly serverLink: CallLink | null;
  readonly signatures: { readonly call: string; readonly answer: string };
  readonly rules: readonly RuleSaid[];
  readonly entries: readonly Entry[];
}

/** @throws TypeError if the answer is none */
export function readCallDetail(value: unknown): CallDetail {
  const said = fields(value);
  if (text(fields(said["call"])["callId"]) === "") throw new TypeError("expected a call");
  const link = fields(said["link"]);
  const signatures = fields(said["signatures"]);
  const risk = said["risk"];
  return {
    call: readCall(said["call"]),
    chain: texts(said["chain"]),
    because: text(said["because"]),
    stages: list(said["stages"]).map((stage) => ({
      stage: text(stage["stage"]),
      fromMs: number(stage["fromMs"]),
      ms: number(stage["ms"]),
    })),
    risk: risk === null || risk === undefined ? null : readRisk(fields(risk)),
    findings: list(said["findings"]).map((each) => ({
      kind: text(each["kind"]),
      at: text(each["at"]),
      in: text(each["in"]),
    })),
    link: {
      ...readLink(link),
      authentication: text(link["authentication"]),
      regression: text(link["regression"]),
    },
    serverLink: said["serverLink"] === null ? null : readLink(said["serverLink"]),
    signatures: { call: text(signatures["call"]), answer: text(signatures["answer"]) },
    rules: list(said["rules"]).map(readRule),
    entries: list(said["entries"]).map((entry) => ({
      index: number(entry["index"]),
      event: text(entry["event"]),
      atUnixMs: number(entry["atUnixMs"]),
      outcome: text(entry["outcome"]),
      facts: Object.entries(fields(entry["facts"])).map(([name, fact]) => [name, text(fact)] as const),
    })),
  };
}

function readRisk(risk: Readonly<Record<string, unknown>>): NonNullable<CallDetail["risk"]> {
  const share = (name: string): number | null => (typeof risk[name] === "number" ? number(risk[name]) : null);
  return { call: share("call"), session: share("session"), because: text(risk["because"]) };
}

function readRule(value: Readonly<Record<string, unknown>>): RuleSaid {
  const condition = fields(value["condition"]);
  return {
    rule: text(value["rule"]),
    effect: text(value["effect"]),
    isShadow: value["isShadow"] === true,
    because: text(value["because"]),
    counts: text(value["counts"]),
    why: texts(value["why"]),
    condition: text(condition["text"]) || undefined,
    values: list(condition["values"]).map((each) => ({
      path: text(each["path"]),
      value: text(each["value"]),
    })),
  };
}
