/** What a legacy client can be answered with, as its headers say. */
import type { HeaderReader } from "../../gate/call.ts";

/** Server-sent events. */
export function takesEvents(header: HeaderReader): boolean {
  return header("accept")?.toLowerCase().includes("text/event-stream") === true;
}

/** Events that have an id and no data; before MCP 2025-11-25 clients stumbled over those. */
export function takesPriming(header: HeaderReader): boolean {
  const version = header("mcp-protocol-version") ?? "";
  return /^\d{4}-\d\d-\d\d$/.test(version) && version >= "2025-11-25";
}
