/**
 * The extension `dev.latticegate/receipt` (docs/formats/receipt.md): who asks for it in a request's `_meta` gets, in
 * that of its result, the proof that the call's outcome is in the log. Asking is all the negotiation that counts:
 * each request says it for itself, so nothing is remembered of a handshake, in either era.
 * INVARIANT: only the gateway says this member: a server's own never reaches a client, in any message of JSON that is
 * read, so of at most `inspectBytes` (1 MiB) and 1,000 levels.
 */
import { concat } from "../kernel/bytes.ts";
import type { ResponseFrame, RequestFrame } from "../wire/frame.ts";
import { withMember, withoutMember } from "../wire/json-edit.ts";
import { type Place, scanJson } from "../wire/json-scan.ts";
import { inspectBytes, type Read, type Received } from "./call.ts";
import type { Ports } from "./ports.ts";

const extension = "dev.latticegate/receipt";
const capabilitiesKey = "io.modelcontextprotocol/clientCapabilities";
const memberPath = ["result", "_meta", extension];
const byteOrderMark = [0xef, 0xbb, 0xbf];
const openBrace = 0x7b;

/** What the gateway has to say in an answer: nothing changes without it. */
export interface Mark {
  /** JSON text: the receipt, or that it is pending; absent if nobody asked. */
  readonly receipt?: string;
}

/** Legacy results that are exactly `{}` (MCP 2025-11-25 schema, EmptyResult). */
const empties: ReadonlySet<string> = new Set([
  "ping",
  "logging/setLevel",
  "resources/subscribe",
  "resources/unsubscribe",
]);

/** @param index of the call's outcome @param takes whether the answer has a place for it */
export async function markFor(
  call: Received & Partial<Read>,
  outcome: { readonly index: number; readonly takes: boolean },
  { receipts }: Pick<Ports, "receipts">,
): Promise<Mark | undefined> {
  if (receipts === undefined) return undefined;
  if (!outcome.takes || !asks(call)) return {};
  const { index } = outcome;
  const receipt = await receipts.of(index);
  const said = receipt === undefined ? { pending: true } : { receipt };
  return { receipt: JSON.stringify({ callId: call.id, index, ...said }) };
}

/** Whether an answer is the result of this very call. */
export function isResultOf({ frame }: Partial<Read>, response: ResponseFrame | undefined): boolean {
  return frame?.kind === "request" && response?.result !== undefined && response.id === frame.id;
}

/**
 * A message as it leaves; the same bytes if there is nothing to say, or nowhere to say it.
 * @param answer what the message says, if it answers this very call
 */
export function marked(
  call: Partial<Read>,
  { message, response }: { readonly message: Uint8Array; readonly response?: ResponseFrame | undefined },
  mark: Mark | undefined,
): Uint8Array {
  if (mark === undefined) return message;
  const own = unforged(message);
  if (response?.result === undefined) return own;
  return announced(call, mark.receipt === undefined ? own : withMember(own, memberPath, mark.receipt));
}

/** A message of a server's without the member, wherever a reader could find it: members that come twice, batches. */
export function unforged(message: Uint8Array): Uint8Array {
  if (message.length > inspectBytes || !mayName(message, extension)) return message;
  // Some clients skip a byte order mark.
  const start = byteOrderMark.every((byte, i) => message[i] === byte) ? 3 : 0;
  try {
    const text = message.subarray(start);
    const own = withoutMember(text, memberPath);
    return own === text ? message : concat([message.subarray(0, start), own]);
  } catch {
    return message; // No JSON.
  }
}

/** Whether the member's name can be in it. However it is spelled, it stands there as it is, or one of these escapes does. */
export function mayName(message: Uint8Array, member: string): boolean {
  const text = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  return text.includes(member) || text.includes("\\u00") || text.includes("\\/");
}

function asks({ frame }: Partial<Read>): boolean {
  if (frame?.kind !== "request" || (frame.era === "legacy" && empties.has(frame.method))) return false;
  const wish = frame.params?.meta?.members.get(extension);
  return wish !== undefined && frame.bytes[wish.start] === openBrace;
}

/** To a client that speaks of the extension in its handshake, the gateway says that it is there (SEP-2133). */
function announced({ frame }: Partial<Read>, answer: Uint8Array): Uint8Array {
  if (frame?.kind !== "request" || !isOffered(frame)) return answer;
  const path = ["result", "capabilities", "extensions", extension];
  const said = withMember(answer, path, "{}");
  // Revisions before 2026-07-28 know `experimental` alone.
  return frame.era === "modern"
    ? said
    : withMember(said, ["result", "capabilities", "experimental", extension], "{}");
}

function isOffered({ method, era, bytes }: RequestFrame): boolean {
  const known = { extensions: { [extension]: true }, experimental: { [extension]: true } } as const;
  if (method === "initialize" && era === "legacy") {
    const { members } = scanJson(bytes, { params: { capabilities: known } });
    return hasExtension(members?.get("params")?.members?.get("capabilities"));
  }
  if (method !== "server/discover" || era !== "modern") return false;
  const { members } = scanJson(bytes, { params: { _meta: { [capabilitiesKey]: known } } });
  return hasExtension(members?.get("params")?.members?.get("_meta")?.members?.get(capabilitiesKey));
}

function hasExtension(capabilities: Place | undefined): boolean {
  return ["extensions", "experimental"].some(
    (name) => capabilities?.members?.get(name)?.members?.has(extension) === true,
  );
}
