/** A modern server's answers as a legacy client takes them, and those that a bridge gives itself. */
import { utf8 } from "../../kernel/bytes.ts";
import { readFrame, type RequestId, type ResponseFrame } from "../../wire/frame.ts";
import { edited, removals, withMember } from "../../wire/json-edit.ts";
import { type Place, scanJson, tolerantScanLimits } from "../../wire/json-scan.ts";

/** What results have since MCP 2026-07-28, beside their own members. */
const shape = { result: { resultType: true, ttlMs: true, cacheScope: true } } as const;

/** The answer under the id it was asked with, without what only modern clients know; all else as it came. */
export function legacyAnswer(response: ResponseFrame, id: RequestId): ResponseFrame {
  let { bytes } = response;
  const modern = scanJson(bytes, shape, tolerantScanLimits).members?.get("result")?.members;
  if (modern !== undefined) bytes = edited(bytes, removals(bytes, [...modern.values()].flatMap(occurrences)));
  if (response.id !== id) bytes = withMember(bytes, ["id"], JSON.stringify(id));
  return bytes === response.bytes ? response : read(bytes);
}

/** However often a careless server says a member. */
function occurrences(place: Place): readonly Place[] {
  return place.earlier === undefined ? [place] : [place, ...occurrences(place.earlier)];
}

export function resultAnswer(id: RequestId, result: object): ResponseFrame {
  return read(utf8(JSON.stringify({ jsonrpc: "2.0", id, result })));
}

export function errorAnswer(id: RequestId, code: number, message: string): ResponseFrame {
  return read(utf8(JSON.stringify({ jsonrpc: "2.0", id, error: { code, message } })));
}

function read(bytes: Uint8Array): ResponseFrame {
  const frame = readFrame(bytes, tolerantScanLimits);
  if (frame.kind !== "response") throw new Error("an answer stays one");
  return frame;
}
