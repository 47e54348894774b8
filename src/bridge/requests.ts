/** The envelope of modern requests (MCP 2026-07-28 basic, `_meta`): made for those that a bridge asks in a client's stead. */
import { utf8 } from "../kernel/bytes.ts";
import type { RequestFrame, RequestId } from "../wire/frame.ts";
import { readFrame } from "../wire/frame.ts";
import { isLogLevel } from "./log-levels.ts";
import { type Json, isObject, valueAt } from "../wire/values.ts";

/** What bridges speak in each era. */
export const modernVersion = "2026-07-28";
export const legacyVersion = "2025-11-25";

export const envelopeKeys = {
  protocolVersion: "io.modelcontextprotocol/protocolVersion",
  clientInfo: "io.modelcontextprotocol/clientInfo",
  clientCapabilities: "io.modelcontextprotocol/clientCapabilities",
  logLevel: "io.modelcontextprotocol/logLevel",
} as const;

/** Who a client says it is, and what it can do. */
export interface ClientSelf {
  readonly clientInfo?: Json;
  readonly capabilities: Json;
}

/** The members of `_meta` that say it. */
export function envelopeOf({ clientInfo, capabilities }: ClientSelf, logLevel?: string): Json {
  return {
    [envelopeKeys.protocolVersion]: modernVersion,
    ...(clientInfo && { [envelopeKeys.clientInfo]: clientInfo }),
    [envelopeKeys.clientCapabilities]: capabilities,
    ...(logLevel !== undefined && { [envelopeKeys.logLevel]: logLevel }),
  };
}

/** Who asks, as the envelope of a request says it. */
export function clientSelfIn(frame: RequestFrame): ClientSelf {
  const clientInfo = ofEnvelope(frame, "clientInfo");
  const capabilities = ofEnvelope(frame, "clientCapabilities");
  return {
    ...(isObject(clientInfo) && { clientInfo }),
    capabilities: isObject(capabilities) ? capabilities : {},
  };
}

/** From which level on log messages are wanted; none are if it is undefined. */
export function logLevelIn(frame: RequestFrame): string | undefined {
  const level = ofEnvelope(frame, "logLevel");
  return isLogLevel(level) ? level : undefined;
}

/** What a client answers to what it was asked, by keys. */
export function inputResponsesIn({ bytes, params }: RequestFrame): Json {
  const said: unknown = params && valueAt(bytes, params.span);
  const given = isObject(said) ? said["inputResponses"] : undefined;
  return isObject(given) ? given : {};
}

function ofEnvelope({ bytes, params }: RequestFrame, name: keyof typeof envelopeKeys): unknown {
  const place = params?.meta?.members.get(envelopeKeys[name]);
  return place && valueAt(bytes, place);
}

/** A request of a bridge's own. */
export function request(id: RequestId, method: string, params: Json = {}): RequestFrame {
  const frame = readFrame(utf8(JSON.stringify({ jsonrpc: "2.0", id, method, params })));
  if (frame.kind !== "request") throw new Error("a request is one");
  return frame;
}
