/** A call of the audit log as the question it put, and what of it the log still has. */
import type { Entry } from "../../audit/entry.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Question } from "../../policy/decide.ts";
import { type Features, readFeatures } from "../../policy/history/features.ts";
import type { IsKnown } from "../../policy/replay/judge-recorded.ts";
import type { Rule } from "../../policy/rules.ts";
import type { CallRecord } from "../../policy/suggest/call-record.ts";
import { describedCall, questionOf, type TrialWorld } from "../../policy/trial/described-call.ts";

interface RecordedQuestion {
  readonly question: Question;
  readonly isKnown: IsKnown;
}

/** What was captured of a call beside the log. */
export type Captured = Pick<CallRecord, "args" | "address">;

/** @param entry a decision, with names @returns undefined for what is no call of a tool, resource or prompt */
export function recordedQuestion(
  entry: Entry,
  world: TrialWorld,
  { rules, captured }: { readonly rules: readonly Rule[]; readonly captured?: Captured | undefined },
): RecordedQuestion | undefined {
  const { facts, principal, atUnixMs } = entry;
  const call = calledIn(entry);
  if (call === undefined) return undefined;
  const features = readFeatures(facts["features"] ?? "{}") ?? {};
  const session = facts["session"];
  const described = describedCall.safeParse({
    ...call,
    ...(call.kind === "tools" && { args: argumentsOf(features) }),
    ...captured,
    caller: principal,
    chain: chainIn(facts["chain"]),
    at: new Date(atUnixMs).toISOString(),
    size: Number(facts["request_bytes"] ?? 0),
    ...(session !== undefined && { session }),
    ...signedIn(facts["signature"]),
    ...riskIn(facts),
    ...(facts["findings"] !== undefined && { findings: kindsIn(facts["findings"]) }),
    link: {
      group: facts["link.group"],
      certificate: facts["peer.cert.alg"] ?? "none",
      ...(facts["link.profile"] !== undefined && { profile: facts["link.profile"] }),
      ...(facts["link.path"] !== undefined && { path: facts["link.path"] }),
    },
  });
  if (!described.success) return undefined;
  const isKnown: IsKnown = (path) =>
    recorded.test(path) ||
    (captured !== undefined && capturedPath.test(path)) ||
    isKept(features, path) ||
    (call.kind === "resources" && path === "args.uri") ||
    (path === "session.id" && session !== undefined) ||
    (/^(?:risk|findings)(?:[.[]|$)/.test(path) && facts["risk"] !== undefined && facts["risk"] !== "unknown");
  return { question: questionOf(described.data, world, rules), isKnown };
}

/** @throws Refusal `bad_state` for what is no call */
export function recordedQuestionOf(
  entry: Entry,
  world: TrialWorld,
  rules: readonly Rule[],
): RecordedQuestion {
  const found = recordedQuestion(entry, world, { rules });
  if (found !== undefined) return found;
  throw new Refusal("bad_state", `The entry of ${entry.callId} is about no tool, resource or prompt.`);
}

/** What an entry says; what the config says of it is as it is now. */
const recorded =
  /^(?:caller\.(?:id|kind|chain|groups)|call\.(?:server|tool|kind|name|method|size)|link\.(?:group|level|pq|certificate|profile|path)|tool\.(?:read_only|labels)|now|time|resource|quantum)(?:[.[]|$)/;

const capturedPath = /^(?:args|place)(?:[.[]|$)/;

/** A number or a truth value; of what wasn't there that it wasn't, where no one above it can be missing instead. */
function isKept(features: Features, path: string): boolean {
  const value = Object.hasOwn(features, path) ? features[path] : undefined;
  if (value === null) return path.split(".").length === 2;
  return typeof value === "number" || typeof value === "boolean";
}

function argumentsOf(features: Features): Readonly<Record<string, unknown>> {
  const args: Record<string, unknown> = {};
  for (const [path, value] of Object.entries(features)) {
    if (typeof value !== "number" && typeof value !== "boolean") continue;
    const names = path.split(".").slice(1);
    const last = names.pop() ?? "";
    let at = args;
    for (const name of names) at = (at[name] ??= {}) as Record<string, unknown>;
    at[last] = value;
  }
  return args;
}

/** `direct ML-DSA-65`, or a mode alone. */
function signedIn(text: string | undefined): { readonly signed?: unknown } {
  const [mode, algorithm] = text?.split(" ") ?? [];
  return mode === undefined ? {} : { signed: { mode, ...(algorithm !== undefined && { algorithm }) } };
}

/** As decisions are recorded where calls are watched. */
function riskIn({ risk, "risk.session": session, "risk.source": source }: Entry["facts"]): {
  readonly risk?: unknown;
} {
  if (risk === undefined || risk === "unknown") return {};
  return {
    risk: {
      call: Number(risk),
      ...(session !== undefined && { session: Number(session) }),
      ...(source !== undefined && { source }),
    },
  };
}

/** `kind=path kind=path` */
function kindsIn(text: string): readonly string[] {
  return text.split(" ").map((each) => each.split("=")[0] ?? "");
}

const kinds = { "tools/call": "tools", "resources/read": "resources", "prompts/get": "prompts" } as const;

function calledIn({ tool, facts }: Entry): { readonly call: string; readonly kind: string } | undefined {
  const method = facts["method"] ?? "";
  if (tool !== null)
    return { call: tool, kind: Object.hasOwn(kinds, method) ? kinds[method as keyof typeof kinds] : "tools" };
  const [server, uri] = [facts["server"], facts["resource"]];
  // Rules may name the others by their method, of which nothing is compared.
  if (method !== "resources/read") return undefined;
  // Of an address with a part that isn't recorded nobody knows what it named.
  if (uri?.includes("…") === true) return undefined;
  return server === undefined || uri === undefined
    ? undefined
    : { call: `${server}/${uri}`, kind: "resources" };
}

function chainIn(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "[]");
  } catch {
    return [];
  }
}
