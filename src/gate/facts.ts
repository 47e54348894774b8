/** What conditions of rules see of one call. Each part is built when a condition reads it, once. */
import { findingsInCall } from "../detect/gates/findings.ts";
import type { CallRisk } from "../detect/session-watch.ts";
import { trustDomainOf } from "../identity/spiffe-id.ts";
import { hostOf } from "../kernel/address.ts";
import { postureOf } from "../model/channel.ts";
import type { Facing } from "../policy/decide.ts";
import type { Facts } from "../policy/facts.ts";
import type { PastCalls } from "../policy/history/past-calls.ts";
import type { TargetKind } from "../policy/rules.ts";
import type { Surroundings } from "../policy/surroundings.ts";
import type { Frame } from "../wire/frame.ts";
import { declaredIntent } from "../wire/intent.ts";
import type { Located, Observed } from "./call.ts";
import { flowFacts } from "./flow-facts.ts";
import { askerOf, issuerOf } from "./past-call.ts";
import { isReadOnly } from "./read-only.ts";
import type { World } from "./world.ts";

/** What a call names. */
export interface Target {
  readonly kind: TargetKind;
  readonly name: string;
}

/** The calls before, as of the moment of the decision: a message may have been long in coming. */
export interface Past {
  readonly calls: PastCalls;
  readonly nowUnixMs: number;
}

/** Of what is only asked about, for a list, nothing was observed. */
type Asking = Located & Partial<Pick<Observed, "risk" | "findings">>;

/** The facts of a call, for each party of its chain. */
export function facing(call: Asking, target: Target | undefined, world: World, past?: Past): Facing {
  const known = new Map<string, Facts>();
  return {
    of: (party) => {
      const found = known.get(party) ?? factsOf(call, { party, target, world, ...(past && { past }) });
      known.set(party, found);
      return found as unknown as Readonly<Record<string, unknown>>;
    },
    ...(target === undefined && { missing: ofTargets }),
  };
}

/** For lists: what could be called at all is asked before there are arguments. */
export function facingLists(call: Asking, target: Target, world: World): Facing {
  return { ...facing(call, target, world), missing: ofCalls };
}

/** A message that belongs to a call: its own, or what the server asks of its client meanwhile. */
interface SideMessage {
  readonly method: string;
  /** As parsed from JSON. */
  readonly params: unknown;
}

/** What rules about methods see: the call it belongs to, with the message's params as `args`. */
export function facingSide(
  call: Asking,
  { message, target }: { readonly message: SideMessage; readonly target: Target | undefined },
  world: World,
): Facing {
  const known = new Map<string, Facts>();
  return {
    of: (party) => {
      const found = known.get(party) ?? sideFacts(factsOf(call, { party, target, world }), message, call);
      known.set(party, found);
      return found as unknown as Readonly<Record<string, unknown>>;
    },
  };
}

function sideFacts(facts: Facts, { method, params }: SideMessage, call: Asking): Facts {
  const {
    call: _named,
    args: _args,
    flow: _flow,
    findings: _findings,
    ...makers
  } = Object.fromEntries(Object.keys(facts).map((name) => [name, () => facts[name as keyof Facts]])) as {
    readonly [Name in keyof Facts]: () => Facts[Name];
  };
  return lazily<Facts>({
    ...makers,
    call: () => ({ ...facts.call, method }),
    args: () => (typeof params === "object" && params !== null ? params : {}),
    flow: () => flowFacts(call.flow, () => params),
    findings: () => {
      const found = findingsInCall({ server: call.server, tool: method, args: params });
      return [...new Set(found.map(({ kind }) => kind))];
    },
  });
}

/** Of a task: what its call named is known, and its arguments aren't any more. */
export function facingTask(call: Asking, target: Target, world: World): Facing {
  return { ...facing(call, target, world), missing: ofTasks };
}

/** What the protocol's own housekeeping has none of: it names nothing yet. */
const ofTargets: ReadonlySet<string> = new Set([
  "args",
  "tool",
  "resource",
  "history",
  "flow",
  "risk",
  "findings",
]);
const ofTasks: ReadonlySet<string> = new Set(["args", "intent", "history", "flow", "risk", "findings"]);
/** What is known of a call once it comes. */
const ofCalls: ReadonlySet<string> = new Set([
  "args",
  "call",
  "intent",
  "history",
  "flow",
  "risk",
  "findings",
]);

interface About {
  readonly party: string;
  readonly target: Target | undefined;
  readonly world: World;
  readonly past?: Past;
}

function factsOf(call: Asking, about: About): Facts {
  const { channel, server, frame, atUnixMs, clientSession, sessionBeganUnixMs } = call;
  const { target, world, past } = about;
  const { surroundings } = world;
  return lazily<Facts>({
    caller: () => callerFacts(call, about.party, surroundings),
    call: () => callFacts(call, target),
    args: () => argumentsIn(frame, target),
    tool: () => toolFacts(call, target, world),
    link: () => linkFacts(channel),
    ...surrounding({ remote: channel.remote, atUnixMs }, surroundings),
    session: () => ({ id: clientSession, began: sessionBeganUnixMs }),
    flow: () => flowFacts(call.flow, () => saidIn(frame)),
    resource: () => {
      const data = target && surroundings.dataOf(target.kind, server, target.name);
      return { class: data?.name ?? "", shelf_life: data?.shelfLifeMs ?? 0 };
    },
    ...(past && {
      history: () => past.calls.of(askerOf(call, { party: about.party, target, nowUnixMs: past.nowUnixMs })),
    }),
    intent: () => ({ purpose: purposeIn(frame) }),
    findings: () => [...new Set((call.findings?.() ?? []).map(({ kind }) => kind))],
    ...(call.risk && { risk: riskFacts(call.risk) }),
  });
}

/** @throws Error where the models failed: conditions err then, and what restricts counts */
function riskFacts(risk: () => CallRisk | undefined): () => NonNullable<Facts["risk"]> {
  return () => {
    const said = risk();
    if (said === undefined) throw new Error("The models failed.");
    const { call, session, source } = said;
    return { call, session, source };
  };
}

/** Where and when, of calls and of links. */
export function surrounding(
  { remote, atUnixMs }: { readonly remote: string; readonly atUnixMs: number },
  surroundings: Surroundings,
): { readonly [Name in "place" | "now" | "time" | "quantum"]: () => Facts[Name] } {
  return {
    place: () => {
      const address = hostOf(remote);
      return { address, networks: surroundings.networksOf(address) };
    },
    now: () => atUnixMs,
    time: () => {
      const { hour, weekday, minute } = surroundings.clock(atUnixMs);
      return { hour, weekday, minute };
    },
    quantum: () => ({ earliest: surroundings.quantumEarliestUnixMs }),
  };
}

/** An object of its own members, each made when it is read, once. */
export function lazily<T extends object>(makers: { readonly [Name in keyof T]: () => T[Name] }): T {
  const whole = {};
  for (const [name, make] of Object.entries<() => unknown>(makers)) {
    let made: { readonly value: unknown } | undefined;
    Object.defineProperty(whole, name, { enumerable: true, get: () => (made ??= { value: make() }).value });
  }
  return whole as T;
}

function callFacts({ server, frame, body }: Located, target: Target | undefined): Facts["call"] {
  const message = frame === undefined || frame.kind === "response" ? undefined : frame;
  return {
    server,
    tool: target?.kind === "tools" ? target.name : "",
    kind: target?.kind ?? "",
    name: target?.name ?? "",
    method: message?.method ?? "",
    size: body.length,
    era: message?.era ?? "",
  };
}

export function linkFacts(channel: Located["channel"]): Facts["link"] {
  const { group, level, isPostQuantum: pq, certificate = "none" } = postureOf(channel);
  const { profile, version, offer, path } = channel;
  const ja4 = offer?.fingerprint.ja4 ?? "";
  return { group, level, pq, certificate, profile, version, ja4, path: path?.kind ?? "none" };
}

/** @param party the caller, or one of those it asks on behalf of */
export function callerFacts(
  { caller, atUnixMs: nowUnixMs }: Pick<Located, "caller" | "atUnixMs">,
  party: string,
  surroundings: Surroundings,
): Facts["caller"] {
  const { proof, chain, id } = caller;
  const at = chain.indexOf(party);
  const own = party === id ? provenBy(proof, id, nowUnixMs) : namedOnly(party);
  return {
    ...own,
    id: party,
    chain: at === -1 ? chain : chain.slice(0, at),
    groups: surroundings.groupsOf(party),
    expires_in: Math.min(proof.notAfterUnixMs - nowUnixMs, maxDurationMs),
  };
}

type Own = Omit<Facts["caller"], "id" | "chain" | "groups" | "expires_in">;

function provenBy(proof: Located["caller"]["proof"], id: string, nowUnixMs: number): Own {
  if (proof.kind !== "token") {
    const { issuedAtUnixMs } = proof;
    return { ...namedOnly(id), kind: "workload", ...ageOf(issuedAtUnixMs, nowUnixMs) };
  }
  const { scopes, binding, issuer, claims = {} } = proof;
  return { kind: "client", scopes, binding, claims, issuer, ...ageOf(secondsIn(claims["iat"]), nowUnixMs) };
}

/** Of those somebody asks on behalf of, the name is proven and nothing else. */
function namedOnly(party: string): Own {
  const domain = trustDomainOf(party);
  const kind = domain === undefined ? "client" : "workload";
  return { kind, scopes: [], binding: "", claims: {}, issuer: issuerOf(party) };
}

function ageOf(issuedAtUnixMs: number | undefined, nowUnixMs: number): Pick<Own, "age"> {
  return issuedAtUnixMs === undefined ? {} : { age: Math.max(0, nowUnixMs - issuedAtUnixMs) };
}

/** Longer than any identity lasts; a duration is finite. */
const maxDurationMs = 100 * 365.25 * 24 * 3_600_000;

function secondsIn(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value * 1000 : undefined;
}

function toolFacts(call: Located, target: Target | undefined, world: World): Facts["tool"] {
  const { server, atUnixMs } = call;
  const tool = target?.kind === "tools" ? target.name : undefined;
  const tools = world.tools.get(server);
  return {
    read_only: tool !== undefined && isReadOnly({ server, tool, atUnixMs }, world),
    labels: tool === undefined ? [] : world.surroundings.labelsOf(server, tool),
    pinned: tool !== undefined && tools?.pinned.has(tool) === true,
    signed: tool !== undefined && (tools?.signed?.get(tool) ?? 0) > atUnixMs,
    drifted: tool !== undefined && tools?.blocked.get(tool) === "changed",
  };
}

/** As their server would read them; what isn't there is an object without members. */
function argumentsIn(frame: Frame | undefined, target: Target | undefined): unknown {
  if (target?.kind === "resources") return { uri: target.name };
  if (frame === undefined || frame.kind === "response") return {};
  const span = frame.params?.arguments;
  if (span === undefined) return {};
  return JSON.parse(new TextDecoder().decode(frame.bytes.subarray(span.start, span.end))) as unknown;
}

/** The params of a message as its server would read them, without what is about the message itself. */
export function paramsIn(
  bytes: Uint8Array,
  span: { readonly start: number; readonly end: number } | undefined,
): Readonly<Record<string, unknown>> {
  if (span === undefined) return {};
  const params = JSON.parse(new TextDecoder().decode(bytes.subarray(span.start, span.end))) as object;
  return Object.fromEntries(Object.entries(params).filter(([name]) => name !== "_meta"));
}

/** About the message itself, or given back as it came; and the name of what is called. */
export const frameMembers: ReadonlySet<string> = new Set(["_meta", "resultType", "name", "requestState"]);

/** What a call says: its arguments, what it asks to be completed, what its client or its user answered meanwhile. */
export function saidIn(frame: Frame | undefined): unknown {
  if (frame === undefined || frame.kind === "response") return {};
  const params = paramsIn(frame.bytes, frame.params?.span);
  return Object.fromEntries(Object.entries(params).filter(([name]) => !frameMembers.has(name)));
}

export function purposeIn(frame: Frame | undefined): string {
  if (frame === undefined || frame.kind === "response" || frame.params?.meta === undefined) return "";
  const { start, end } = frame.params.span;
  const params = JSON.parse(new TextDecoder().decode(frame.bytes.subarray(start, end))) as unknown;
  return declaredIntent(params)?.purpose ?? "";
}
