/** The question that a call puts to the rules of now: one that is described, or one that the audit log has. */
import type { Entry } from "../../audit/entry.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { LinkHook } from "../../policy/facts.ts";
import {
  decideLink,
  type ExplainedLinkRule,
  explainLink,
  type LinkRules,
  type LinkVerdict,
} from "../../policy/link-rules.ts";
import type { Rule } from "../../policy/rules.ts";
import { type Explanation, explainDecision } from "../../policy/explain.ts";
import { describedCall, questionOf, type TrialWorld } from "../../policy/trial/described-call.ts";
import { describedLink, linkQuestionOf } from "../../policy/trial/described-link.ts";
import { issueInWords } from "../../policy/trial/link-cases.ts";

/** @throws Refusal `bad_config` for a call that can't be */
export function explainDescribed(
  given: Readonly<Record<string, unknown>>,
  world: TrialWorld,
  rules: readonly Rule[],
): Explanation {
  return explainDecision(questionOf(described(given), world), rules);
}

export interface LinkExplanation {
  readonly rules: readonly ExplainedLinkRule[];
  readonly decision: LinkVerdict;
}

/** @throws Refusal `bad_config` for what is no connection and no link */
export function explainLinkDescribed(
  given: Readonly<Record<string, unknown>> & { readonly on: LinkHook },
  world: TrialWorld,
  rules: LinkRules,
): LinkExplanation {
  const read = describedLink.safeParse(given);
  if (!read.success) {
    const why = read.error.issues.map(issueInWords).join("; ");
    throw new Refusal("bad_config", `That is no ${given.on}: ${why}.`, { cause: read.error });
  }
  const question = linkQuestionOf(read.data, world);
  const own = rules[given.on];
  return { rules: explainLink(question, own), decision: decideLink(question, own) };
}

/** What an entry doesn't say, is unknown: the arguments above all. @throws Refusal `bad_state` for what is no call */
export function explainEntry(entry: Entry, world: TrialWorld, rules: readonly Rule[]): Explanation {
  const { facts, principal, atUnixMs } = entry;
  const call = calledIn(entry);
  if (call === undefined) {
    throw new Refusal("bad_state", `The entry of ${entry.callId} is about no tool, resource or prompt.`);
  }
  const question = questionOf(
    described({
      ...call,
      caller: principal,
      chain: chainIn(facts["chain"]),
      at: new Date(atUnixMs).toISOString(),
      size: Number(facts["request_bytes"] ?? 0),
      link: {
        group: facts["link.group"],
        certificate: facts["peer.cert.alg"] ?? "none",
        ...(facts["link.profile"] !== undefined && { profile: facts["link.profile"] }),
      },
    }),
    world,
  );
  return explainDecision(question, rules, isRecorded);
}

/** What an entry says; what the config says of it is as it is now. */
const recorded =
  /^(?:caller\.(?:id|kind|chain|groups)|call\.(?:server|tool|kind|name|method|size)|link\.(?:group|level|pq|certificate|profile)|tool\.(?:read_only|labels)|now|time|resource|quantum)(?:[.[]|$)/;

function isRecorded(path: string): boolean {
  return recorded.test(path);
}

const kinds = { "tools/call": "tools", "resources/read": "resources", "prompts/get": "prompts" } as const;

function calledIn({ tool, facts }: Entry): { readonly call: string; readonly kind: string } | undefined {
  const method = facts["method"] ?? "";
  if (tool !== null)
    return { call: tool, kind: Object.hasOwn(kinds, method) ? kinds[method as keyof typeof kinds] : "tools" };
  const [server, uri] = [facts["server"], facts["resource"]];
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

/** A call as it is told, with what isn't said as usual. @throws Refusal `bad_config` for one that can't be */
export function described(given: Readonly<Record<string, unknown>>): ReturnType<typeof describedCall.parse> {
  const read = describedCall.safeParse(given);
  if (read.success) return read.data;
  const why = read.error.issues.map(({ path, message }) => `${path.map(String).join(".")}: ${message}`);
  throw new Refusal("bad_config", `That is no call: ${why.join("; ")}.`, { cause: read.error });
}
