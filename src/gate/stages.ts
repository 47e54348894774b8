/** The stages before the upstream, with represent.ts: identify, read, confirm, locate, judge, journal. Each takes what the last one proved. */
import { callerOf, whyForbidden } from "../identity/admission.ts";
import { checkHybrid } from "../identity/link-authentication.ts";
import { falseClaim } from "../identity/claims.ts";
import { printable } from "../kernel/printable.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Denial, nothingAllows, type Permit, type Question } from "../policy/decide.ts";
import { postureOf } from "../model/channel.ts";
import { isSideRequest } from "../policy/side-methods.ts";
import { checkHeaders } from "../wire/mcp-headers.ts";
import { type Frame, readFrame } from "../wire/frame.ts";
import type {
  Confirmed,
  Identified,
  InSession,
  Journaled,
  Judged,
  Located,
  Observed,
  Opened,
  Read,
  Received,
  TokenCaller,
} from "./call.ts";
import { principalOf } from "./call.ts";
import { decisionEntry } from "./entries.ts";
import { facing, facingSide, facingTask, paramsIn, type Past } from "./facts.ts";
import { checkTarget, readForwarded } from "./forward.ts";
import { deniedResource } from "./listening.ts";
import { isHeld, settled, withRequest } from "./held.ts";
import { checkSigned, isAboutSignatures, signedAs } from "./open.ts";
import type { Ports } from "./ports.ts";
import { explained } from "./observe.ts";
import { outOfReach } from "./reach.ts";
import { reserved, withFeatures } from "./past-call.ts";
import { isReadOnly } from "./read-only.ts";
import { checkServerGate } from "./server-gate.ts";
import { openSessionId, ownerOf } from "./session-id.ts";
import { shutBy } from "./shut.ts";
import { needing } from "./signature-refusals.ts";
import { targetOf } from "./target.ts";
import { blockedTool } from "./tools.ts";
import { verdictOn } from "./verdict.ts";
import { checkVersion } from "./version-floor.ts";
import type { World } from "./world.ts";

/** @throws Refusal `stopped`, `no_identity`, `suite_forbidden`, `link_too_weak` */
export function identify(received: Received, world: World): Identified {
  const stopped = whyStopped(world);
  if (stopped !== undefined) throw stopped;
  const { channel, presented, atUnixMs } = received;
  if (channel.peer.kind === "svid") {
    const caller = callerOf(channel, world.trust, atUnixMs);
    checkLink(received, world);
    return { ...received, caller };
  }
  const forbidden = whyForbidden(channel, world.trust);
  if (forbidden !== undefined) throw forbidden;
  checkLink(received, world);
  // What a member of a virtual server is asked later stands on the same token.
  const over = presented && whyOver(presented, world, atUnixMs);
  if (presented === undefined || over?.code === "identity_expired") {
    throw new Refusal("no_identity", "There is no access token with this call that is still good.");
  }
  if (over !== undefined) throw new Refusal("no_identity", over.message, { facts: over.facts });
  return { ...received, caller: presented };
}

/** Why nothing passes at all; undefined while calls are taken. INVARIANT: it holds whatever is only observed. */
export function whyStopped({ stopped, digest }: World): Refusal | undefined {
  if (stopped === undefined) return undefined;
  return new Refusal("stopped", `All calls are stopped here (${stopped}).`, { facts: { world: digest } });
}

/** Why nothing may go on, or begin, for who came with that access token; undefined while it may. */
export function whyOver(presented: TokenCaller, world: World, nowUnixMs: number): Refusal | undefined {
  const revoked = [presented.id, ...presented.chain].find((name) => world.shutOut.has(name));
  if (revoked !== undefined) {
    const message = "The tokens of this client, or of whom it acts for, were revoked here.";
    return new Refusal("identity_revoked", message, { facts: { revoked } });
  }
  if (presented.proof.notAfterUnixMs > nowUnixMs) return undefined;
  return new Refusal("identity_expired", "The access token of this call has ended.");
}

/**
 * JSON-RPC 2.0 §4.1, MCP: what has no id is a notification, and those are named so. INVARIANT: whatever asks for
 * something is a request, so that no stage has to look for it elsewhere: some servers carry out what has no id.
 */
function checkKind(frame: Frame): Frame {
  if (frame.kind !== "notification" || frame.method.startsWith("notifications/")) return frame;
  throw new Refusal(
    "bad_message",
    "A message without an id is a notification; this method is no notification's.",
  );
}

/** @throws Refusal `bad_json`, `bad_message`; for a forward server `bad_media_type`, `method_not_allowed` too */
export function read(call: InSession): Read {
  if (call.targetUrl !== undefined) {
    const forwarded = readForwarded(call);
    if (forwarded.frame !== undefined) checkKind(forwarded.frame);
    return { ...call, ...forwarded };
  }
  return call.verb === "POST" ? { ...call, frame: checkKind(readFrame(call.body)) } : call;
}

/**
 * What a message says of who sent it must not contradict the proof.
 * @throws Refusal `false_claim`
 */
export function confirm(call: Read, world: World): Confirmed {
  const { frame, caller } = call;
  const meta = frame?.kind === "response" ? frame.result?.meta : frame?.params?.meta;
  const found = frame && meta && falseClaim({ ...meta, bytes: frame.bytes }, caller.id, world.claims);
  if (found === undefined) return { ...call, claims: "uncontradicted" };
  const claim = printable(found.key, 128);
  throw new Refusal("false_claim", `"${claim}" in _meta contradicts what the caller has proven.`, {
    facts: { claim, ...(found.claimed !== undefined && { claimed: printable(found.claimed, 256) }) },
  });
}

/**
 * @throws Refusal `header_mismatch`, `no_such_server`, `target_refused`, `server_gated`, `unsupported_version`,
 * `unsupported_handshake`, `link_too_weak`, `no_such_session`, `unknown_name`, `upstream_failed`
 */
export async function locate(call: Opened, world: World, ports: Ports): Promise<Located> {
  if (call.frame !== undefined) checkHeaders(call.frame, call.header);
  const members = world.virtualServers.get(call.server);
  if (members === undefined && !world.servers.has(call.server)) {
    throw new Refusal("no_such_server", `There is no server "${call.server}" behind this gateway.`);
  }
  checkTarget(call, world);
  checkServerGate(call, world);
  // They have no version, and are for the end at the other end of the link.
  if (isAboutSignatures(call)) return call;
  checkVersion(call, world);
  const located = inSession(call, ports.sessionKey);
  if (members === undefined) return located;
  const routed = await ports.virtual.route(located);
  if (routed.server === call.server) return routed;
  checkServerGate(routed, world);
  checkVersion(routed, world); // The member may ask for more than the whole, of the link too.
  checkLink(routed, world);
  return inSession(routed, ports.sessionKey);
}

/**
 * What the listener, and the server if one is named, asks of the link a request comes on.
 * @throws Refusal `link_too_weak`
 */
export function checkLink(
  { channel, server, atUnixMs }: Pick<Received, "channel" | "atUnixMs"> & { readonly server?: string },
  world: World,
): void {
  if (channel.demands === "hybrid-mtls") checkHybrid(channel, "This listener", world.trust, atUnixMs);
  if (server !== undefined && world.hybridLinks.has(server))
    checkHybrid(channel, `"${server}"`, world.trust, atUnixMs);
}

/** @throws Refusal `insufficient_scope`, `classical_link`, `signature_required`, `signature_refused`, `tool_blocked` */
export function judge(
  call: Observed,
  world: World,
  { history, clock }: Pick<Ports, "history" | "clock">,
): Judged {
  const past = history && { calls: history, nowUnixMs: clock.nowUnixMs() };
  const question = questionOf(call, world, past);
  const members = world.virtualServers.get(call.server);
  const verdict =
    members === undefined ? reached(call, question, world) : reachedSome(call, question, { members, world });
  // What is denied is told why it is denied: a signature wouldn't help.
  if (verdict.kind === "permit" || verdict.unsigned !== undefined || isHeld(verdict))
    checkSigned(call, world);
  const denied =
    verdict.kind === "permit" ? (deniedResource(call, world) ?? shutBy(call, question, world)) : undefined;
  return { ...call, question, verdict: explained(denied ?? verdict, call, world) };
}

/** All that is known of the call, asked. */
function questionOf(call: Observed, world: World, past: Past | undefined): Question {
  const { caller, channel, server, atUnixMs } = call;
  const link = postureOf(channel);
  const side = sideOf(call, world);
  const begun = taskTarget(call);
  if (begun !== undefined) {
    const onlyReads = isReadOnly({ server, tool: begun.name, atUnixMs }, world);
    const facts = facingTask(call, begun, world);
    // What people, or a signature, let begin goes on.
    return { caller, link, server, facts, target: begun, onlyReads, isList: true, ...side };
  }
  const target = targetOf(call.frame);
  const signed = signedAs(call);
  const onlyReads = target?.kind === "tools" && isReadOnly({ server, tool: target.name, atUnixMs }, world);
  return {
    caller,
    link,
    server,
    facts: facing(call, target, world, past),
    ...(target && { target, onlyReads }),
    ...(signed && { signed }),
    ...side,
  };
}

/** What the call that began a task named: who may not any more, hears no more of it, and ends it all the same. */
function taskTarget({ task, frame }: Located): { readonly kind: "tools"; readonly name: string } | undefined {
  const isEnd = frame?.kind === "request" && frame.method === "tasks/cancel";
  return task === undefined || isEnd ? undefined : { kind: "tools", name: task.tool };
}

/** A request that rules can name by its method. */
function sideOf(call: Observed, world: World): Pick<Question, "side"> {
  const { frame, task } = call;
  if (frame?.kind !== "request" || !isSideRequest(frame.method)) return {};
  const { method, bytes, params } = frame;
  const target = task === undefined ? targetOf(frame) : ({ kind: "tools", name: task.tool } as const);
  const message = { method, params: paramsIn(bytes, params?.span) };
  return { side: { method, facts: facingSide(call, { message, target }, world) } };
}

/** A call for all members is open to whoever may use one; each member is asked on the caller's behalf, and judges. */
function reachedSome(
  call: Observed,
  question: Question,
  { members, world }: { readonly members: readonly string[]; readonly world: World },
): Permit | Denial {
  const allowed = members.filter((member) => mayUse(call, member, world));
  const member = openTo(call, members, world)[0] ?? allowed[0];
  if (member === undefined) return nothingAllows(question);
  const { caller, link, side } = question;
  const facts = facing(call, undefined, world);
  return reached(call, { caller, link, server: member, facts, ...(side && { side }) }, world);
}

/** Those of `servers` of which the caller may use anything at all, on this link and with this proof. */
export function openTo(call: Identified, servers: readonly string[], world: World): readonly string[] {
  const { caller } = call;
  const link = postureOf(call.channel);
  return servers.filter(
    (server) =>
      mayUse(call, server, world) && outOfReach(call, { caller, link, server }, world) === undefined,
  );
}

/** Whether the rules allow the caller anything at all of that server, on the link it is on. */
export function mayUse(
  { caller, channel }: Pick<Identified, "caller" | "channel">,
  server: string,
  world: World,
): boolean {
  return verdictOn({ caller, link: postureOf(channel), server }, world).kind === "permit";
}

/** What the rules say; of what they allow, how the caller came and what it was granted can still keep it away. */
function reached(call: Located, question: Question, world: World): Permit | Denial {
  const verdict = verdictOn(question, world);
  const isOpen = verdict.kind === "permit" || isHeld(verdict);
  const obstacle = isOpen ? (outOfReach(call, question, world) ?? blockedTool(call, world)) : undefined;
  if (obstacle !== undefined) throw obstacle;
  return verdict;
}

/**
 * Puts the decision on disk, and lets only a permitted call pass.
 * @throws Refusal `denied`, `held`, `signature_required`, `journal_unavailable`
 */
export async function journal(judged: Judged, world: World, ports: Ports): Promise<Journaled> {
  const answered = settled(judged, world, ports);
  const { call, refusal } = answered;
  const kept = reserved(call, ports);
  const draft = withFeatures(decisionEntry(call, world, requestHmac(call, ports)), kept);
  const receipt = await ports.journal.append(withRequest(draft, answered)).catch((error: unknown) => {
    ports.history?.settle(call.id, "undone");
    throw error;
  });
  ports.captures?.take(call);
  const { verdict } = call;
  if (verdict.kind === "permit") return { ...call, verdict, receipt };
  if (refusal !== undefined) throw refusal;
  if (verdict.unsigned !== undefined) throw needing(verdict.unsigned, verdict.because);
  throw deniedBy(verdict);
}

function deniedBy({ because, cuts }: Denial): Refusal {
  return new Refusal(cuts === true ? "cut_off" : "denied", because);
}

function requestHmac(call: Judged, { digests }: Ports): string | undefined {
  if (call.body.length === 0) return undefined;
  const digest = digests.begin({ callId: call.id, principal: principalOf(call) }, "request");
  digest.update(call.body);
  return digest.end();
}

function inSession(call: Opened, key: Uint8Array): Located {
  const session = upstreamSession(call, key);
  const { session: _, ...read }: Located = call;
  return session === undefined ? read : { ...read, session };
}

/** MCP 2026-07-28: a modern message has no session; the header is ignored there, never refused. */
function upstreamSession(call: Read, key: Uint8Array): string | undefined {
  const sealed = call.header("mcp-session-id");
  const isModern = call.frame !== undefined && call.frame.kind !== "response" && call.frame.era === "modern";
  if (sealed === undefined || isModern) return undefined;
  const session = openSessionId(key, ownerOf(call), sealed);
  if (session === undefined)
    throw new Refusal("no_such_session", "There is no such session for this caller.");
  return session;
}
