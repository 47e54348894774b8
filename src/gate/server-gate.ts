/**
 * The gate that servers pass before anybody is connected to them (docs/guide/server-gate.md). INVARIANT: nothing is sent
 * to a server that doesn't meet it, but for the questions what it is where only it can show its signed manifest.
 */
import { Refusal } from "../kernel/refusal.ts";
import type { Read } from "./call.ts";
import type { PinnedTools, World } from "./world.ts";

/** What one server still lacks, and what is looked at with each call. */
export interface ServerGate {
  /** As its caller and the operator are told it; nothing where the config says all that is asked for. */
  readonly lacks: readonly string[];
  /** Its tools have to be signed: by a manifest that the operator has, or that the server is asked for. */
  readonly signed?: "kept" | "asked";
}

/** What asks a server what it is, and carries nothing of a caller's. */
const questions: ReadonlySet<string> = new Set([
  "initialize",
  "notifications/initialized",
  "server/discover",
  "ping",
  "tools/list",
  "declarations/manifest",
]);

/** @throws Refusal `server_gated` */
export function checkServerGate(
  call: Pick<Read, "server" | "frame" | "atUnixMs" | "verb">,
  world: World,
): void {
  const gate = world.gate.get(call.server);
  if (gate === undefined) return;
  const [first] = gate.lacks;
  if (first !== undefined) throw gated(call.server, gate.lacks.join("; "));
  if (gate.signed === undefined) return;
  const why = unsigned(call, world.tools.get(call.server));
  if (why === undefined || (gate.signed === "asked" && isQuestion(call))) return;
  throw gated(call.server, why);
}

function unsigned(
  { frame, atUnixMs }: Pick<Read, "frame" | "atUnixMs">,
  tools: PinnedTools | undefined,
): string | undefined {
  if (tools === undefined || atUnixMs >= (tools.manifestUntil ?? 0))
    return "no manifest of its publishers is in force";
  if (frame?.kind !== "request" || frame.method !== "tools/call") return undefined;
  return isSigned(tools, frame.params?.name ?? "", atUnixMs)
    ? undefined
    : "no list had that tool as its manifest names it";
}

function isSigned(tools: PinnedTools | undefined, tool: string, atUnixMs: number): boolean {
  return atUnixMs < (tools?.signed?.get(tool) ?? 0);
}

/** Whether the gate keeps that tool from being called, and so from being listed. */
export function isGatedTool(server: string, tool: string, world: World, atUnixMs: number): boolean {
  return world.gate.get(server)?.signed !== undefined && !isSigned(world.tools.get(server), tool, atUnixMs);
}

/** A session's end goes on to where the session is. */
function isQuestion({ frame, verb }: Pick<Read, "frame" | "verb">): boolean {
  if (frame === undefined) return verb === "DELETE";
  return frame.kind !== "response" && questions.has(frame.method);
}

function gated(server: string, why: string): Refusal {
  return new Refusal("server_gated", `"${server}" isn't connected: ${why}.`, { facts: { why } });
}
