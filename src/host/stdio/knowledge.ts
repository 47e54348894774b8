/**
 * What a stdio server has said of itself, and the checks that follow. Over HTTP a server checks the envelope
 * and the headers of a modern request by itself; a pipe has no headers, so its gateway does (MCP 2026-07-28,
 * streamable HTTP).
 */
import type { HeaderReader } from "../../gate/call.ts";
import { fromUtf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { RequestFrame, ResponseFrame } from "../../wire/frame.ts";
import {
  checkParameterHeaders,
  isModernVersion,
  type ParameterHeader,
  toolParameterHeaders,
} from "../../wire/mcp-headers.ts";

export interface Knowledge {
  /** The modern versions it speaks; unknown until it was asked to `server/discover`. */
  readonly versions?: readonly string[];
  /** By tool, the arguments that travel as headers too. */
  readonly parameters: ReadonlyMap<string, readonly ParameterHeader[]>;
}

export const nothingKnown: Knowledge = { parameters: new Map() };

/** A list longer than this is passed on unread; its tools' headers stay unchecked. */
const maxReadBytes = 4 * 1024 * 1024;

export function learnt(known: Knowledge, method: string, answer: ResponseFrame): Knowledge {
  const tells = method === "server/discover" || method === "tools/list";
  const { result } = answer;
  if (!tells || result === undefined || answer.bytes.length > maxReadBytes) return known;
  const text = fromUtf8(answer.bytes.subarray(result.span.start, result.span.end));
  const value: unknown = text === undefined ? undefined : JSON.parse(text);
  if (method === "tools/list") {
    return { ...known, parameters: new Map([...known.parameters, ...toolParameterHeaders(value)]) };
  }
  const versions =
    typeof value === "object" && value !== null && "supportedVersions" in value
      ? value.supportedVersions
      : [];
  return Array.isArray(versions)
    ? { ...known, versions: versions.filter((each) => typeof each === "string") }
    : known;
}

/** @throws Refusal `bad_envelope` if the request says by its headers that it is modern, and isn't whole */
export function checkEnvelope({ era, params }: RequestFrame, header: HeaderReader): void {
  if (era === "legacy" && isModernVersion(header("mcp-protocol-version"))) {
    const missing = params?.meta === undefined ? "_meta" : "io.modelcontextprotocol/protocolVersion";
    throw new Refusal("bad_envelope", `The header says a modern version, but the request has no ${missing}.`);
  }
  if (era === "modern" && params?.meta?.hasClientCapabilities !== true) {
    throw new Refusal("bad_envelope", "Expected io.modelcontextprotocol/clientCapabilities in _meta.");
  }
}

/** @throws Refusal `unsupported_version`, `header_mismatch` */
export function checkAgainst(known: Knowledge, request: RequestFrame, header: HeaderReader): void {
  if (request.era === "legacy") return;
  const requested = request.params?.meta?.protocolVersion ?? "";
  if (known.versions !== undefined && !known.versions.includes(requested)) {
    const data = { supported: known.versions, requested };
    throw new Refusal("unsupported_version", `Unsupported protocol version: ${requested}`, { data });
  }
  const parameters = known.parameters.get(request.params?.name ?? "") ?? [];
  if (request.method === "tools/call") checkParameterHeaders(request, header, parameters);
}
