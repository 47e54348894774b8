/** Lists of tools as servers answer them, and an operator who decides about them. */
import { approveTools, type Approval } from "../../src/integrity/tools/pin-decisions.ts";
import { judgeToolList, type JudgedList, type PinSettings } from "../../src/integrity/tools/pinned-tools.ts";
import type { NamedTools } from "../../src/integrity/tools/look-alike.ts";
import { noToolPins, type ToolPins } from "../../src/integrity/tools/tool-pins.ts";

export type MadeTool = Readonly<Record<string, unknown>> & { readonly name: string };

export function madeTool(name: string, description = `What ${name} does.`, more: object = {}): MadeTool {
  return { name, description, inputSchema: { type: "object" }, ...more };
}

export function listAnswer(tools: readonly unknown[], nextCursor?: string): Uint8Array {
  const result = { tools, ...(nextCursor !== undefined && { nextCursor }) };
  return new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", id: 1, result }));
}

/** The tools in an answer as a client reads them. */
export function toolsIn(answer: Uint8Array): readonly MadeTool[] {
  return (JSON.parse(new TextDecoder().decode(answer)) as { result: { tools: MadeTool[] } }).result.tools;
}

const firstUse: PinSettings = { pin: "first-use", accept: [] };

/** A server seen through its pins, one list after the other; a minute passes between two. */
export interface Watched {
  pins: ToolPins;
  atUnixMs: number;
  readonly settings: PinSettings;
  readonly others: readonly NamedTools[];
}

export function watched(settings: PinSettings = firstUse, others: readonly NamedTools[] = []): Watched {
  return { pins: noToolPins, atUnixMs: 1_800_000_000_000, settings, others };
}

export function list(
  server: Watched,
  tools: readonly unknown[],
  page: { readonly cursor?: string; readonly nextCursor?: string } = {},
): JudgedList {
  const { cursor, nextCursor } = page;
  server.atUnixMs += 60_000;
  const { atUnixMs, others } = server;
  const answer = listAnswer(tools, nextCursor);
  const seen = { answer, atUnixMs, others, ...(cursor !== undefined && { cursor }) };
  const judged = judgeToolList(server.pins, seen, server.settings);
  server.pins = judged.pins;
  return judged;
}

/** @throws if it is refused */
export function approve(server: Watched, approvals: readonly Approval[]): void {
  const decided = approveTools(server.pins, approvals, { who: "ann", atUnixMs: server.atUnixMs });
  if (decided.kind === "refused") throw new Error(decided.why);
  server.pins = decided.pins;
}
