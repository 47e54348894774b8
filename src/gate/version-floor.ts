/**
 * The oldest version of the protocol that may be spoken, held at both ends: in what a client says, and in what
 * a server offers it. Where no minimum is set, nothing is compared and nothing is held back.
 */
import { printable } from "../kernel/printable.ts";
import { Refusal, type RefusalCode } from "../kernel/refusal.ts";
import { type Frame, readFrame, type RequestFrame } from "../wire/frame.ts";
import { isBelow, type ProtocolVersion, unstatedVersion, versionsFrom } from "../wire/protocol-version.ts";
import type { SseEvent } from "../wire/sse.ts";
import type { Answer, HeaderList, Journaled, Read } from "./call.ts";
import type { Ports } from "./ports.ts";
import type { World } from "./world.ts";

/** Real handshakes have a few kilobytes; what isn't read can't be let through. */
const maxHandshakeBytes = 1024 * 1024;
/** What a server may say on the stream before it answers the handshake; kept until that is let through. */
const maxHeldEvents = 1000;

/** @throws Refusal `unsupported_version`, or `unsupported_handshake` for an `initialize` */
export function checkVersion(call: Read, world: World): void {
  if (call.isBesideMcp === true) return;
  const minimum = minimumOf(call, world);
  const requested = minimum && statedVersions(call).find((version) => isBelow(version, minimum));
  if (minimum === undefined || requested === undefined) return;
  const shown = printable(requested, 64);
  throw handshakeOf(call) === undefined
    ? unsupported("unsupported_version", `Unsupported protocol version: ${shown}`, minimum, { requested })
    : unsupported("unsupported_handshake", "Unsupported protocol version", minimum, { requested });
}

/**
 * The answer as it came, unless it answers an `initialize` with a version that is too old, or in a way that
 * can't be read: then it is withheld, and the session the server opened is ended.
 * @throws Refusal `unsupported_handshake`, `upstream_failed`, `answer_too_large`
 */
export async function checkOffer(
  call: Journaled,
  answer: Answer,
  world: World,
  ports: Ports,
): Promise<Answer> {
  const minimum = minimumOf(call, world);
  const handshake = handshakeOf(call);
  if (minimum === undefined || handshake === undefined) return answer;
  const offer = { handshake, minimum };
  try {
    if (answer.kind === "whole") return checkWhole(answer, offer);
    if (answer.kind === "stream") return await checkStream(answer, offer);
    await answer.chunks[Symbol.asyncIterator]().return?.();
    throw tooLong();
  } catch (error) {
    void endSession(call, answer.headers, ports);
    throw error;
  }
}

/** Of a virtual server the lowest of its members': each holds its own when it is called. */
function minimumOf({ server }: Read, { versions, virtualServers }: World): ProtocolVersion | undefined {
  let lowest: ProtocolVersion | undefined;
  for (const each of virtualServers.get(server) ?? [server]) {
    const minimum = versions.ofServers.get(each) ?? versions.minimum;
    if (minimum === undefined) return undefined;
    if (lowest === undefined || isBelow(minimum, lowest)) lowest = minimum;
  }
  return lowest;
}

function handshakeOf({ frame }: Read): RequestFrame | undefined {
  return frame?.kind === "request" && frame.method === "initialize" ? frame : undefined;
}

/** Every version a message states; the one it is taken for if it states none. */
function statedVersions(call: Read): readonly string[] {
  const params = call.frame?.kind === "response" ? undefined : call.frame?.params;
  const isHandshake = handshakeOf(call) !== undefined;
  const main = isHandshake ? params?.protocolVersion : call.header("mcp-protocol-version")?.trim();
  const stated = [main, params?.meta?.protocolVersion].filter((version) => version !== undefined);
  return stated.length === 0 ? [unstatedVersion] : stated;
}

interface Offer {
  readonly handshake: RequestFrame;
  readonly minimum: ProtocolVersion;
}

type Whole = Extract<Answer, { readonly kind: "whole" }>;
type Stream = Extract<Answer, { readonly kind: "stream" }>;

function checkWhole(answer: Whole, offer: Offer): Answer {
  const { body, status } = answer;
  if (body.length > maxHandshakeBytes) throw tooLong();
  const frame = strictFrame(body);
  // Nothing was negotiated by an error without a message, nor by silence.
  if (frame === undefined && (status >= 400 || body.length === 0)) return answer;
  checkMessage(frame, offer);
  return answer;
}

/** Holds the stream, its head too, until the handshake's answer has come and is let through. */
async function checkStream(answer: Stream, offer: Offer): Promise<Answer> {
  const events = answer.events[Symbol.asyncIterator]();
  const held: SseEvent[] = [];
  let bytes = 0;
  try {
    for (;;) {
      const next = await events.next();
      if (next.done === true) throw unread("its stream ended without one");
      const { raw, data } = next.value;
      held.push(next.value);
      bytes += raw.length;
      if (bytes > maxHandshakeBytes || held.length > maxHeldEvents) throw tooLong();
      if (data === null || data.length === 0) continue;
      const frame = strictFrame(data);
      if (frame === undefined || frame.kind === "response") checkMessage(frame, offer);
      if (frame?.kind === "response" && frame.id === offer.handshake.id) break;
    }
  } catch (error) {
    void events.return?.();
    throw error;
  }
  return { ...answer, events: resumed(held, events) };
}

async function* resumed(
  held: readonly SseEvent[],
  rest: AsyncIterator<SseEvent>,
): AsyncGenerator<SseEvent, void> {
  try {
    yield* held;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

/** A version that two readers could read in two ways isn't known. */
function strictFrame(bytes: Uint8Array): Frame | undefined {
  try {
    return readFrame(bytes);
  } catch {
    return undefined;
  }
}

/** What a client might take for the handshake's answer. What we can't read, it may read in a way of its own. */
function checkMessage(frame: Frame | undefined, { handshake, minimum }: Offer): void {
  if (frame?.kind !== "response") throw unread("it can't be read");
  if (frame.result === undefined) return;
  const offered = frame.result.protocolVersion ?? "";
  if (!isBelow(offered, minimum)) return;
  const requested = handshake.params?.protocolVersion;
  const text = `Unsupported protocol version: the server offers ${printable(offered, 64) || "none"}`;
  throw unsupported("unsupported_handshake", text, minimum, { requested, offered });
}

function unsupported(
  code: Extract<RefusalCode, "unsupported_version" | "unsupported_handshake">,
  text: string,
  minimum: ProtocolVersion,
  { requested, offered }: { readonly requested: string | undefined; readonly offered?: string },
): Refusal {
  return new Refusal(code, text, {
    data: { supported: versionsFrom(minimum), requested, offered },
    facts: {
      minimum,
      ...(requested !== undefined && { requested: printable(requested, 64) }),
      ...(offered !== undefined && { offered: printable(offered, 64) }),
    },
  });
}

function unread(why: string): Refusal {
  return new Refusal("upstream_failed", `The server's answer to initialize is withheld: ${why}.`);
}

function tooLong(): Refusal {
  return new Refusal("answer_too_large", "The server says too much before its handshake is over.");
}

/** Nobody will be told of this session. Best effort: a server may refuse to end one, and forgets it in time. */
async function endSession(call: Journaled, headers: HeaderList, ports: Ports): Promise<void> {
  const at = headers.findIndex((name, i) => i % 2 === 0 && name.toLowerCase() === "mcp-session-id");
  const session = headers[at + 1];
  if (at === -1 || session === undefined) return;
  const { frame: _, ...rest } = call;
  const goodbye: Journaled = {
    ...rest,
    session,
    verb: "DELETE",
    header: () => undefined,
    headers: [],
    body: new Uint8Array(0),
    // The caller may be gone before the session is.
    reply: { ...call.reply, gone: new AbortController().signal },
  };
  const about = { callId: call.id, server: call.server };
  try {
    const answer = await ports.upstreams.forward(goodbye);
    ports.log.debug("session.ended", { ...about, status: answer.status });
    if (answer.kind === "stream") await answer.events[Symbol.asyncIterator]().return?.();
  } catch (error) {
    ports.log.debug("session.left", { ...about, reason: error instanceof Refusal ? error.code : "fault" });
  }
}
