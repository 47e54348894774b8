/**
 * Calls to a forward server, whose URL the client itself named: MCP messages, and requests beside MCP (OAuth
 * metadata, registration, tokens). INVARIANT: nothing that a server could read as a message passes as the latter.
 */
import { Refusal } from "../kernel/refusal.ts";
import { type Frame, readFrameIfAny } from "../wire/frame.ts";
import type { Read, Received } from "./call.ts";
import type { World } from "./world.ts";

interface Understood {
  readonly frame?: Frame;
  readonly isBesideMcp: boolean;
}

/** @throws Refusal `bad_json`, `bad_message`, `bad_media_type`, `method_not_allowed` */
export function readForwarded(call: Received): Understood {
  if (call.verb === "GET") return { isBesideMcp: !accepts(call, "text/event-stream") };
  if (call.verb === "DELETE") {
    if (call.header("mcp-session-id") !== undefined) return { isBesideMcp: false };
    throw new Refusal("method_not_allowed", "DELETE ends an MCP session, and there is none here.");
  }
  const type = mediaType(call.header("content-type"));
  if (type === "application/json") {
    const frame = readFrameIfAny(call.body);
    return frame === undefined ? { isBesideMcp: true } : { frame, isBesideMcp: false };
  }
  if (type !== "application/x-www-form-urlencoded") {
    throw new Refusal("bad_media_type", "Expected Content-Type application/json or a form.");
  }
  if (!isForm(call.body)) throw new Refusal("bad_message", "What is sent as a form isn't one.");
  return { isBesideMcp: true };
}

/**
 * A forward server goes where its list says, and only there; other servers are where they are.
 * @throws Refusal `target_refused`
 */
export function checkTarget({ server, targetUrl }: Read, world: World): void {
  const isListed = world.forward.get(server);
  if (isListed === undefined) {
    if (targetUrl === undefined) return;
    throw new Refusal("target_refused", `"${server}" has its own address; clients can't name one.`);
  }
  if (targetUrl === undefined) {
    throw new Refusal(
      "target_refused",
      `Clients name the address on "${server}" themselves; use latticegate connect --forward.`,
    );
  }
  if (isListed(targetUrl.origin)) return;
  throw new Refusal("target_refused", `${targetUrl.origin} isn't among the origins "${server}" leads to.`, {
    facts: { target: targetUrl.resource },
  });
}

/** The form serialiser writes visible ASCII (WHATWG URL §5.2), and no name of OAuth's begins like JSON. */
function isForm(body: Uint8Array): boolean {
  const first = body.findIndex((byte) => byte !== 0x20);
  const isJson = body[first] === 0x7b || body[first] === 0x5b || body[first] === 0x22;
  return !isJson && body.every((byte) => byte >= 0x20 && byte <= 0x7e);
}

function accepts(call: Received, type: string): boolean {
  return (call.header("accept") ?? "").split(",").some((range) => mediaType(range) === type);
}

function mediaType(value: string | undefined): string | undefined {
  return value?.split(";", 1)[0]?.trim().toLowerCase();
}
