/**
 * What a server asks of its client: requests of its own (MCP 2025-11-25), inputs it needs for its answer (MCP 2026-07-28
 * multi round-trip requests), and the error that says what to visit first (-32042). What rules deny never reaches the
 * client: the server is told so, or its answer is refused. INVARIANT: where a rule may deny, what can't be read surely
 * goes no further.
 */
import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { Refusal, refusalRow } from "../kernel/refusal.ts";
import { postureOf } from "../model/channel.ts";
import { decideSide, type Denial, namesSide } from "../policy/decide.ts";
import { askedOfClients, isAskedOfClients } from "../policy/side-methods.ts";
import { type Frame, readFrame, type RequestFrame } from "../wire/frame.ts";
import { withData } from "../wire/sse.ts";
import type { Answer, AnswerEvent, Journaled } from "./call.ts";
import { deniedRequestEntry } from "./entries.ts";
import { facingSide, paramsIn, type Target } from "./facts.ts";
import type { Ports } from "./ports.ts";
import { refusedAnswer } from "./refuse.ts";
import { targetOf } from "./target.ts";
import { collected } from "./tools.ts";
import type { World } from "./world.ts";

/** What it takes to judge, and to say no. */
interface Judging {
  readonly call: Journaled;
  readonly world: World;
  readonly ports: Ports;
  /** By rule and method, what stands in the audit log of this call: a server asks as often as it likes. */
  readonly recorded: Set<string>;
}

/** What is asked: a method, and its params. */
interface Asked {
  readonly method: string;
  readonly params: unknown;
}

/** @throws Refusal `denied`, `cut_off`, `answer_refused`, `answer_too_large` */
export async function asAskable(
  call: Journaled,
  answer: Answer,
  world: World,
  ports: Ports,
): Promise<Answer> {
  if (!namesSide(call, askedOfClients, world.rules)) return answer;
  const judging = { call, world, ports, recorded: new Set<string>() };
  if (answer.kind === "stream") return { ...answer, events: askableEvents(answer.events, judging) };
  const whole = answer.kind === "long" ? await collected(answer) : answer;
  const { message = whole.body } = whole;
  const read = mayAsk(message) ? strictly(message) : undefined;
  const refusal = read && (await refusalOf(inputsIn(read), judging));
  if (refusal !== undefined) throw refusal;
  return whole;
}

async function* askableEvents(
  events: AsyncIterable<AnswerEvent>,
  judging: Judging,
): AsyncGenerator<AnswerEvent, void> {
  for await (const event of events) {
    const { data } = event;
    const read = data !== null && mayAsk(data) ? strictly(data) : undefined;
    const kept =
      read === undefined || data === null ? event : await askable({ ...event, data }, read, judging);
    if (kept !== undefined) yield kept;
  }
}

/** The event as the client may see it; undefined for none. */
async function askable(
  event: AnswerEvent & { readonly data: Uint8Array },
  read: Frame,
  judging: Judging,
): Promise<AnswerEvent | undefined> {
  const isOwnRequest = read.kind === "request" && isAskedOfClients(read.method);
  const asked = isOwnRequest
    ? [{ method: read.method, params: paramsIn(read.bytes, read.params?.span) }]
    : inputsIn(read);
  const refusal = await refusalOf(asked, judging);
  if (refusal === undefined) return event;
  if (isOwnRequest) tellServer(read, refusal, judging);
  if (refusal.code === "cut_off") throw refusal;
  if (read.kind !== "response") return undefined;
  const said = refusedAnswer(judging.call, refusal).body;
  const asItCame = event.asItCame ?? { bytes: event.raw, message: event.data };
  return { ...event, raw: withData(event, said), data: said, refusal, asItCame };
}

/** What of it isn't asked, in one; undefined if all may be. @throws Refusal `journal_unavailable` */
async function refusalOf(asked: readonly Asked[], judging: Judging): Promise<Refusal | undefined> {
  for (const each of asked) {
    const denied = await denialOf(each, judging);
    if (denied === undefined) continue;
    const { because, rule, cuts } = denied;
    return new Refusal(cuts === true ? "cut_off" : "denied", because, {
      facts: { asked: each.method, rule: rule ?? "" },
    });
  }
  return undefined;
}

async function denialOf(
  asked: Asked,
  { call, world, ports, recorded }: Judging,
): Promise<Omit<Denial, "shadows"> | undefined> {
  const { caller, channel, server, task } = call;
  const target: Target | undefined = task ? { kind: "tools", name: task.tool } : targetOf(call.frame);
  const facts = facingSide(call, { message: asked, target }, world);
  const question = { caller, link: postureOf(channel), server, side: { method: asked.method, facts } };
  const { denied, shadows } = decideSide(question, world.rules);
  const key = JSON.stringify([asked.method, denied?.rule, shadows]);
  if ((denied !== undefined || shadows.length > 0) && !recorded.has(key)) {
    recorded.add(key);
    const atUnixMs = ports.clock.nowUnixMs();
    const { observes } = world;
    const about = { method: asked.method, denied, shadows, atUnixMs, observes };
    await ports.journal.append(deniedRequestEntry(call, about));
  }
  if (world.observes) return undefined;
  if (denied !== undefined) {
    const { id: callId } = call;
    ports.log.info("request.denied", { callId, server, asked: asked.method, rule: denied.rule ?? "" });
  }
  return denied;
}

/** What a message needs of the client beside a request: inputs of an answer or of a task, and what is to be visited. */
function inputsIn(read: Frame): readonly Asked[] {
  if (read.kind === "request") return [];
  if (read.kind === "notification") return inputRequests(paramsIn(read.bytes, read.params?.span));
  const span = read.result?.span;
  if (span !== undefined) return inputRequests(parsed(read.bytes.subarray(span.start, span.end)));
  const { code, data } = read.error ?? {};
  if (code !== visitFirst) return [];
  const { elicitations } = membersOf(data && parsed(read.bytes.subarray(data.start, data.end)));
  const each = Array.isArray(elicitations) && elicitations.length > 0 ? elicitations : [{}];
  return each.map((params: unknown) => ({ method: "elicitation/create", params }));
}

/** MCP 2025-11-25 elicitation: URLElicitationRequiredError. */
const visitFirst = -32042;

function inputRequests(result: unknown): readonly Asked[] {
  return Object.values(membersOf(membersOf(result)["inputRequests"])).map((each) => {
    const { method, params } = membersOf(each);
    return { method: typeof method === "string" ? method : "", params: membersOf(params) };
  });
}

/** The error it would have got from a client that says no. It waits for that; nobody waits for what it says to it. */
function tellServer({ id, era }: RequestFrame, { message }: Refusal, { call, ports }: Judging): void {
  const error = { code: refusalRow("denied").rpc, message: `Denied by policy: ${message}` };
  const body = utf8(JSON.stringify({ jsonrpc: "2.0", id, error }));
  const kept = call.headers.flatMap((text, at) => {
    const name = (at % 2 === 0 ? text : (call.headers[at - 1] ?? "")).toLowerCase();
    return replaced.has(name) ? [] : [text];
  });
  const headers = [
    ...kept,
    "content-type",
    "application/json",
    "accept",
    "application/json, text/event-stream",
  ];
  const header = (name: string): string | undefined => {
    const at = headers.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === name);
    return at === -1 ? undefined : headers[at + 1];
  };
  // Its caller never said this.
  const { signature: _, ...unsigned } = call;
  const own = {
    ...unsigned,
    isOwn: true,
    verb: "POST",
    headers,
    header,
    body,
    frame: readFrame(body),
  } as const;
  void ports.upstreams
    .forward(own)
    .then(ignored)
    .catch((cause: unknown) => {
      const reason = cause instanceof Error ? cause.message : "unknown";
      ports.log.debug("request.untold", { callId: call.id, server: call.server, era, reason });
    });
}

/** Of the call's headers, what would be wrong of an answer that is posted. */
const replaced: ReadonlySet<string> = new Set([
  "content-type",
  "content-length",
  "accept",
  "last-event-id",
  "mcp-method",
  "mcp-name",
]);

async function ignored(answer: Answer): Promise<void> {
  if (answer.kind === "long") await answer.chunks[Symbol.asyncIterator]().return?.();
  if (answer.kind === "stream") await answer.events[Symbol.asyncIterator]().return?.();
}

/** However it is spelled, part of its name stands there, or an escape does. */
function mayAsk(data: Uint8Array): boolean {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return marks.some((mark) => bytes.includes(mark));
}

const marks = ["elicitation", "sampling", "roots", "inputRequests", "\\u"].map((text) => Buffer.from(text));

/** @throws Refusal `answer_refused` for what two readers could read in two ways */
function strictly(message: Uint8Array): Frame {
  try {
    return readFrame(message);
  } catch (cause) {
    const text = "Rules say what may be asked of clients, and what the server says can't be read for sure.";
    throw new Refusal("answer_refused", text, { cause });
  }
}

function parsed(bytes: Uint8Array): unknown {
  return JSON.parse(fromUtf8(bytes) ?? "null");
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Readonly<Record<string, unknown>>) : {};
}
