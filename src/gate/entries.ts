/** A call, however far it came, as the two audit entries it leaves: what was decided, and how it ended. */
import { linkAuthentication } from "../identity/link-authentication.ts";
import type { ServerLink } from "../model/channel.ts";
import type { Denial } from "../policy/decide.ts";
import type { EntryDraft, EntryOutcome } from "../model/entry.ts";
import { type Judged, principalOf, type Read, type Received } from "./call.ts";
import { riskFacts } from "./observe.ts";
import { recordedUri } from "./recorded-uri.ts";
import type { World } from "./world.ts";

/** How a call ended. Metadata only. */
export interface Ending {
  readonly outcome: EntryOutcome;
  /** A refusal's code, or what went wrong; absent if the answer is whole. */
  readonly reason?: string;
  readonly status: number;
  readonly answerBytes: number;
  /** The tool or the server said in its answer that it failed. */
  readonly answerFailed: boolean;
  /** The server asks for something before it answers; the call is made again with it. */
  readonly asksFirst?: true;
  /** The answer was longer than what is read into; it was passed on as it came. */
  readonly uninspected?: boolean;
  /** The call whose stream went on here. */
  readonly resumes?: string;
  /** The link the answer came on. */
  readonly link?: ServerLink;
  /** Keyed digest of the server's answer as it came; of a stream, to the end of what answers the call. */
  readonly answerHmac?: string;
  /** In what the link to the server was less than before. */
  readonly upstreamRegression?: string;
  /** Who signed the answer, and how. */
  readonly answerSigned?: { readonly by: string; readonly mode: string };
  /** What is wrong with the signature of the call, or of the answer. */
  readonly signatureFault?: string;
  /** What the answer has to say of itself, by the names of its facts. */
  readonly facts?: Readonly<Record<string, string>>;
}

/** @param requestHmac keyed digest of the body; undefined where there is none */
export function decisionEntry(call: Judged, world: World, requestHmac: string | undefined): EntryDraft {
  const { verdict } = call;
  const { proof } = call.caller;
  return {
    event: "call.decision",
    atUnixMs: call.atUnixMs,
    callId: call.id,
    principal: principalOf(call),
    tool: toolName(call),
    outcome: verdict.kind === "permit" ? "allowed" : "denied",
    facts: {
      ...subject(call),
      ...ruleOf(verdict),
      world: world.digest,
      ...linkFacts(call, world),
      ...(proof.kind === "token" && { proof: proof.binding }),
      ...signatureFacts(call),
      ...riskFacts(call, world),
      request_bytes: String(call.body.length),
      ...(requestHmac !== undefined && { request_hmac: requestHmac }),
    },
  };
}

/** @param call as far as it came */
export function outcomeEntry(call: Received & Partial<Read>, ending: Ending, nowUnixMs: number): EntryDraft {
  return {
    event: "call.outcome",
    atUnixMs: nowUnixMs,
    callId: call.id,
    principal: principalOf(call),
    tool: toolName(call),
    outcome: ending.outcome,
    facts: {
      ...subject(call),
      status: String(ending.status),
      answer_bytes: String(ending.answerBytes),
      duration_ms: String(nowUnixMs - call.atUnixMs),
      ...(ending.answerFailed && { answer: "failed" }),
      ...(ending.asksFirst === true && { answer: "input_required" }),
      ...(ending.uninspected === true && { inspected: "no" }),
      ...(ending.resumes !== undefined && { resumes: ending.resumes }),
      ...(ending.upstreamRegression !== undefined && { "upstream.regression": ending.upstreamRegression }),
      ...(ending.reason !== undefined && { reason: ending.reason }),
      ...(ending.answerHmac !== undefined && { answer_hmac: ending.answerHmac }),
      ...(ending.link && serverLinkFacts(ending.link)),
      ...ending.facts,
      ...(ending.answerSigned && {
        answer_signed: ending.answerSigned.by,
        answer_signature: ending.answerSigned.mode,
      }),
      ...(ending.signatureFault !== undefined && { signature_fault: ending.signatureFault }),
    },
  };
}

/** What a server asked of its client and didn't get, in a call that was let through. */
export function deniedRequestEntry(
  call: Judged,
  {
    method,
    denied,
    shadows,
    atUnixMs,
    observes,
  }: Pick<Judged["verdict"], "shadows"> & {
    readonly method: string;
    readonly denied: Omit<Denial, "shadows"> | undefined;
    readonly atUnixMs: number;
    /** It is let through all the same. */
    readonly observes: boolean;
  },
): EntryDraft {
  return {
    event: "request.denied",
    atUnixMs,
    callId: call.id,
    principal: principalOf(call),
    tool: toolName(call),
    outcome: denied === undefined || observes ? "allowed" : "denied",
    facts: {
      ...standing(call),
      server: call.server,
      asked: method,
      ...(denied !== undefined && !observes
        ? ruleOf({ ...denied, shadows })
        : { ...(denied && observedFacts(denied)), ...shadowFact(shadows) }),
    },
  };
}

/** How the call was signed, and by whom; INVARIANT: only what was proven. */
function signatureFacts({ signature }: Judged): Record<string, string> {
  if (signature === undefined) return {};
  const { proof } = signature;
  const how = proof.mode === "direct" ? `${proof.mode} ${proof.algorithm}` : proof.mode;
  return { signature: how, signer: proof.signer };
}

function linkFacts({ channel, atUnixMs }: Judged, world: World): Record<string, string> {
  const { group, keyExchange, level, version, profile, peer, regression, path } = channel;
  return {
    "link.group": group,
    "link.level": String(level),
    "link.pq": String(keyExchange === "hybrid"),
    "link.profile": profile,
    "link.version": version,
    ...(keyExchange === "classical" && { "link.kind": keyExchange }),
    ...(regression !== undefined && { "link.regression": regression }),
    ...(path && { "link.path": path.kind }),
    ...(peer.kind === "svid" && {
      "peer.cert.alg": peer.keyAlgorithm,
      "link.auth": linkAuthentication(peer, world.trust, atUnixMs),
    }),
  };
}

/** `upstream_link` marks what isn't as it should be in the end. */
function serverLinkFacts(link: ServerLink): Record<string, string> {
  if (link.kind === "plain") return { upstream_link: link.kind };
  return {
    ...(link.keyExchange === "classical" && { upstream_link: link.keyExchange }),
    upstream_group: link.group,
    upstream_level: String(link.level),
    upstream_version: link.version,
    upstream_cert: link.certificate,
  };
}

/** Thousands of rules may be watched at once; an entry names some and says how many more there are. */
const maxRulesNamed = 16;

function listed(names: readonly string[]): string {
  const more = names.length - maxRulesNamed;
  return [...names.slice(0, maxRulesNamed), ...(more > 0 ? [`+${more}`] : [])].join(" ");
}

function ruleOf(verdict: Judged["verdict"]): Record<string, string> {
  const watched = shadowFact(verdict.shadows);
  if (verdict.kind === "permit") {
    const redacting = listed(verdict.redactions.map(({ rule }) => rule));
    const { rule, observed } = verdict;
    return {
      rule,
      ...(observed && observedFacts(observed)),
      ...watched,
      ...(redacting !== "" && { "rule.redact": redacting }),
    };
  }
  const { rule, party, effect, erred, outOfScope } = verdict;
  return {
    rule: rule ?? (outOfScope ? "delegation-scope" : "default-deny"),
    ...(effect !== undefined && effect !== "deny" && { "rule.effect": effect }),
    ...(erred !== undefined && { "rule.error": erred }),
    ...(party !== undefined && { "rule.party": party }),
    ...watched,
  };
}

/** What would have been decided, if anything were enforced: as `rule.shadow` has it. */
function observedFacts(denial: Omit<Denial, "shadows">): Record<string, string> {
  const { rule, effect = "deny", unsigned, erred, party } = denial;
  return {
    "rule.observed": `${rule ?? "default-deny"}=${unsigned === undefined ? effect : "step_up"}`,
    ...(erred !== undefined && { "rule.error": erred }),
    ...(party !== undefined && { "rule.party": party }),
  };
}

function shadowFact(shadows: Denial["shadows"]): Record<string, string> {
  const names = listed(shadows.map(({ rule, effect }) => `${rule}=${effect}`));
  return names === "" ? {} : { "rule.shadow": names };
}

/** For whom it was asked, and in which session of the caller's clients. */
export function standing({ caller, clientSession }: Partial<Read>): Record<string, string> {
  return {
    ...(clientSession !== undefined && { session: clientSession }),
    ...(caller !== undefined && caller.chain.length > 0 && { chain: JSON.stringify(caller.chain) }),
    ...(caller?.delegation && { delegation: caller.delegation.id }),
  };
}

function subject(call: Received & Partial<Read>): Record<string, string> {
  const { frame, server, via } = call;
  const target = call.targetUrl?.resource;
  const where = {
    ...standing(call),
    server,
    ...(via !== undefined && { via }),
    ...(target !== undefined && { target }),
  };
  if (frame === undefined) {
    const isBesideMcp = call.isBesideMcp === true && target !== undefined;
    return { ...where, method: call.verb, ...(isBesideMcp && { resource: target }) };
  }
  if (frame.kind === "response") return { ...where, method: "response" };
  return { ...where, method: frame.method, era: frame.era, ...thing(frame.params) };
}

/** A resource's address is what was asked for, not what was said; a tool's name stands in the core. */
function thing(params: { readonly uri?: string } | undefined): Record<string, string> {
  return params?.uri === undefined ? {} : { resource: recordedUri(params.uri) };
}

function toolName(call: Received & Partial<Read>): string | null {
  const { frame } = call;
  if (frame?.kind !== "request" || frame.method !== "tools/call") return null;
  return `${call.server}/${frame.params?.name ?? ""}`;
}
