/**
 * Servers' tools are what they were when they were pinned: a list leaves in its pinned form, and a tool that isn't as
 * it was isn't called. INVARIANT: no list of a pinned server passes unread. Clients match answers to requests by their
 * ids, on whichever stream they come, so every message that a client might take for a list is held to that; one that
 * two readers could read in two ways is withheld.
 */
import { concat } from "../kernel/bytes.ts";
import { printable } from "../kernel/printable.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { RequestId } from "../wire/frame.ts";
import {
  everyMember,
  folded,
  type Place,
  scanElements,
  scanJson,
  type Shape,
  textAt,
  tolerantScanLimits,
} from "../wire/json-scan.ts";
import { mayHoldName, startsLikeJson, withFiniteNumbers } from "../wire/lenient-json.ts";
import { withData, writeSseEvent } from "../wire/sse.ts";
import type { Answer, AnswerEvent, Journaled, Located } from "./call.ts";
import type { Tools } from "./ports.ts";
import type { World } from "./world.ts";

/** Longest list that is read: the longest real ones have a few hundred kilobytes. */
export const maxListBytes = 8 * 1024 * 1024;

/** Why a tool isn't called, as its caller is told. */
const whyBlocked = {
  changed: "isn't what it was when it was pinned",
  new: "came after this server's tools were pinned",
  "hidden-text": "hides text in its definition",
  shadows: "has the name of another server's tool",
  "look-alike": "has a name that looks like another tool's",
  unsigned: "isn't in its server's signed manifest",
  "rolled-back": "was rolled back",
  unreadable: "is declared in a way that two readers could read in two ways",
  unapproved: "was never approved",
  frozen: "isn't among those pinned when its server's tools were frozen",
} as const;

export type BlockedBecause = keyof typeof whyBlocked;

/** Refusal `tool_blocked` if the call is of a tool that isn't as it was pinned; undefined if it isn't. */
export function blockedTool({ frame, server }: Located, world: World): Refusal | undefined {
  const pinned = world.tools.get(server);
  if (pinned === undefined || frame?.kind !== "request" || frame.method !== "tools/call") return undefined;
  const name = frame.params?.name ?? "";
  const because = pinned.blocked.get(name) ?? (pinned.pinned.has(name) ? undefined : pinned.otherwise);
  if (because === undefined) return undefined;
  const shown = printable(name, 128);
  const message = `The tool "${shown}" ${whyBlocked[because]}; nobody calls it until an operator approves that: "latticegate tools diff ${server}" shows it.`;
  return new Refusal("tool_blocked", message, { facts: { tool: shown, because } });
}

/** Whether an operator's approval or an approved manifest says that the tool, as it is pinned, only reads. */
export function isLabelledReadOnly(
  { tools }: Pick<World, "tools">,
  server: string,
  tool: string,
  nowUnixMs: number,
): boolean {
  const until = tools.get(server)?.readOnly.get(tool);
  return until !== undefined && nowUnixMs < until;
}

/**
 * The answer with each list of tools in its pinned form; the same answer where that is how it came.
 * @throws Refusal `upstream_failed` for a list that can't be read, `answer_too_large`
 */
export async function asPinned(
  call: Journaled,
  answer: Answer,
  world: World,
  ports: Showing,
): Promise<Answer> {
  if (ports.tools === undefined || !world.tools.has(call.server)) return answer;
  const show = (message: Uint8Array): Promise<Uint8Array> =>
    shown(call, { message, answers: requestId(call) }, ports);
  if (answer.kind === "stream") {
    return { ...answer, events: shownEvents(answer.events, show) };
  }
  const whole = answer.kind === "long" && isList(call) ? await collected(answer) : answer;
  if (whole.kind === "long") return whole;
  const { body, message = body } = whole;
  const changed = await show(message);
  if (changed === message) return whole;
  const asItCame = { bytes: body, message };
  if (message === body) return { ...whole, body: changed, asItCame };
  const event = writeSseEvent({ event: "message", data: changed });
  return { ...whole, body: event, message: changed, asItCame };
}

/** Who shows lists as they are pinned. */
interface Showing {
  readonly tools?: Pick<Tools, "shown"> | undefined;
}

/** What it takes to know what an answer may list. */
type Asked = Pick<Journaled, "frame">;

type Whole = Extract<Answer, { readonly kind: "whole" }>;
type Long = Extract<Answer, { readonly kind: "long" }>;

/** A list is read however long it is; what else is that long passes as it comes. @throws Refusal `answer_too_large` */
export async function collected(answer: Long): Promise<Whole> {
  const { chunks, bodyBytes: _, kind: __, ...head } = answer;
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > maxListBytes) throw tooLong();
    pieces.push(chunk);
  }
  return { ...head, kind: "whole", body: concat(pieces) };
}

async function* shownEvents(
  events: AsyncIterable<AnswerEvent>,
  show: (data: Uint8Array) => Promise<Uint8Array>,
): AsyncGenerator<AnswerEvent, void> {
  for await (const event of events) {
    const { data: message } = event;
    const changed = message === null || message.length === 0 ? message : await show(message);
    if (message === null || changed === null || changed === message) yield event;
    else {
      const asItCame = { bytes: event.raw, message };
      yield { ...event, raw: withData(event, changed), data: changed, asItCame };
    }
  }
}

interface Said {
  readonly message: Uint8Array;
  /** The request that this call's answer bears the id of. */
  readonly answers: RequestId | undefined;
}

async function shown(call: Journaled, said: Said, { tools }: Showing): Promise<Uint8Array> {
  const { message } = said;
  if (!mayHold(message)) return message;
  const found = listIn(call, said);
  if (found === "none" || tools === undefined) return message;
  if (found === "unreadable") throw withheldList();
  if (message.length > maxListBytes) throw tooLong();
  const cursor = cursorOf(call);
  return await tools.shown(call, { message, ...(cursor !== undefined && { cursor }) });
}

const messageShape: Shape = {
  id: true,
  result: { tools: true, [everyMember]: true },
  error: true,
  [everyMember]: true,
};

/**
 * Whether a client could take the message for a list of tools, and whether all clients would read the same one. What
 * answers another method's request with this call's own id is none, whatever members it has.
 */
function listIn(call: Asked, { message, answers }: Said): "list" | "none" | "unreadable" {
  try {
    if (!mayHoldList(call, behindMark(message), answers)) return "none";
    return isOneList(message) ? "list" : "unreadable";
  } catch {
    return isJson(message) || mayBeTakenForList(call, { message, answers }) ? "unreadable" : "none";
  }
}

function mayHoldList(call: Asked, text: Uint8Array, answers: RequestId | undefined): boolean {
  const top = scanJson(text, messageShape, tolerantScanLimits);
  const isBatch = text[top.start] === openBracket;
  const each = isBatch ? scanElements(text, top, messageShape, tolerantScanLimits) : [top];
  const isOwn = (one: Place): boolean =>
    !isList(call) && answers !== undefined && idOf(text, one) === answers;
  return each.some((one) => mayHaveTools(one) && !isOwn(one));
}

/** Whether a reader that is less strict could find a list in what is no JSON. */
function mayBeTakenForList(call: Asked, { message, answers }: Said): boolean {
  try {
    return mayHoldList(call, withFiniteNumbers(behindMark(message)), answers);
  } catch {
    return startsLikeJson(message) && mayHoldName(message, "result") && mayHoldName(message, "tools");
  }
}

/** One message alone without a mark before it; how it spells what it holds is looked at where it is read. */
function isOneList(message: Uint8Array): boolean {
  const { members } = scanJson(message, messageShape, tolerantScanLimits);
  const result = members?.get("result");
  const tools = result?.members?.get("tools");
  if (tools === undefined || members?.has("error") === true) return false;
  return result?.earlier === undefined && tools.earlier === undefined && message[tools.start] === openBracket;
}

/** Some clients read names without regard to case, and of members that come twice the first. */
function mayHaveTools({ members = new Map<string, Place>() }: Place): boolean {
  for (const [name, last] of members) {
    if (folded(name) !== "result") continue;
    // What stands under another spelling isn't looked into.
    if (name !== "result" && last.end - last.start > 2) return true;
    for (let result: Place | undefined = last; result !== undefined; result = result.earlier) {
      if ([...(result.members?.keys() ?? [])].some((inner) => folded(inner) === "tools")) return true;
    }
  }
  return false;
}

function idOf(bytes: Uint8Array, { members }: Place): RequestId | undefined {
  const place = members?.get("id");
  if (place === undefined || place.earlier !== undefined) return undefined;
  if (bytes[place.start] === quote) return textAt(bytes, place);
  const id = Number(new TextDecoder().decode(bytes.subarray(place.start, place.end)));
  return Number.isNaN(id) ? undefined : id;
}

/** However the member's name is spelled, it stands there in some case and encoding, or an escape that no other text needs. */
function mayHold(message: Uint8Array): boolean {
  const text = Buffer.from(message.buffer, message.byteOffset, message.byteLength).toString("latin1");
  return /t\0*o\0*o\0*l|\\\0*[^\0"\\/bfnrt]/i.test(text);
}

/** Some clients skip a byte order mark. */
function behindMark(message: Uint8Array): Uint8Array {
  return byteOrderMark.every((byte, i) => message[i] === byte) ? message.subarray(3) : message;
}

function isJson(message: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder().decode(message));
    return true;
  } catch {
    return false;
  }
}

/** Of the page that was asked for; undefined for the first. What nobody asked for is no page that is expected. */
function cursorOf({ frame }: Asked): string | undefined {
  if (frame?.kind !== "request" || frame.method !== "tools/list") return unasked;
  const { members } = scanJson(frame.bytes, { params: { cursor: true } });
  const place = members?.get("params")?.members?.get("cursor");
  if (place === undefined) return undefined;
  return frame.bytes[place.start] === quote ? textAt(frame.bytes, place) : unasked;
}

/** No server's cursor. */
const unasked = "\u0000unasked";

function isList({ frame }: Asked): boolean {
  return frame?.kind === "request" && frame.method === "tools/list";
}

function requestId({ frame }: Asked): RequestId | undefined {
  return frame?.kind === "request" ? frame.id : undefined;
}

export function withheldList(): Refusal {
  const text = "The server's list is withheld: two readers could read it in two ways.";
  return new Refusal("upstream_failed", text, { facts: { what: "tools/list" } });
}

function tooLong(): Refusal {
  return new Refusal("answer_too_large", `The server's list of tools is longer than ${maxListBytes} bytes.`);
}

const byteOrderMark = [0xef, 0xbb, 0xbf];
const openBracket = 0x5b;
const quote = 0x22;
