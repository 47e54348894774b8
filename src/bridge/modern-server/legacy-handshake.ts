/** A legacy session with a modern server: what `initialize` says of the client, and what `server/discover` says of the server. */
import { fromUtf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { bridgeable } from "../capabilities.ts";
import type { RequestFrame, ResponseFrame } from "../../wire/frame.ts";
import { metaMember } from "../../wire/meta.ts";
import { isKnownVersion, isModernVersion } from "../../wire/protocol-version.ts";
import { type ClientSelf, legacyVersion, modernVersion } from "../requests.ts";
import { type Json, isObject, memberOf } from "../../wire/values.ts";

/** What a server says of itself when it is discovered. */
export interface Discovered {
  /** Without what can't be bridged. */
  readonly capabilities: Json;
  readonly serverInfo?: Json;
  readonly instructions?: string;
}

const serverInfoKey = "io.modelcontextprotocol/serverInfo";
/** It goes with every request of the session. */
const maxSelfBytes = 64 * 1024;

/** @throws Refusal `bad_message` if it is too long to be said with each request */
export function clientSelf({ bytes, params }: RequestFrame): ClientSelf {
  const said = params === undefined ? undefined : valueAt(bytes, params.span);
  const clientInfo = objectIn(said, "clientInfo");
  const self = {
    ...(clientInfo && { clientInfo }),
    capabilities: bridgeable(objectIn(said, "capabilities") ?? {}),
  };
  if (JSON.stringify(self).length > maxSelfBytes) {
    const text = `What the client says of itself is longer than ${maxSelfBytes} bytes.`;
    throw new Refusal("bad_message", text);
  }
  return self;
}

/** The version a legacy session is in: the client's, if that is one. */
export function sessionVersion(asked: string | undefined): string {
  return asked !== undefined && isKnownVersion(asked) && !isModernVersion(asked) ? asked : legacyVersion;
}

/** @throws Refusal `upstream_failed` if it doesn't say what it can do, or doesn't speak a version that we do */
export function discovered({ bytes, result, error }: ResponseFrame): Discovered {
  if (result === undefined) {
    const text = error === undefined ? undefined : memberOf(valueAt(bytes, error.span), "message");
    throw failed(`refused server/discover: ${error?.code}${reasonOf(text)}`);
  }
  if ((result.resultType ?? "complete") !== "complete") throw failed("answered server/discover oddly");
  const said = valueAt(bytes, result.span);
  const versions = memberOf(said, "supportedVersions");
  if (Array.isArray(versions) && !versions.includes(modernVersion))
    throw failed(`doesn't speak MCP ${modernVersion}`);
  const serverInfo = metaMember(said, serverInfoKey);
  const instructions = memberOf(said, "instructions");
  return {
    capabilities: bridgeable(objectIn(said, "capabilities") ?? {}),
    ...(isObject(serverInfo) && { serverInfo }),
    ...(typeof instructions === "string" && { instructions }),
  };
}

/** The result of `initialize`. @param name of the server, where it says none itself */
export function initializeResult(server: Discovered, version: string, name: string): Json {
  const { capabilities, instructions, serverInfo = {} } = server;
  return {
    protocolVersion: version,
    capabilities,
    serverInfo: { name, version: "unknown", ...serverInfo },
    ...(instructions !== undefined && { instructions }),
  };
}

const maxReasonLength = 200;

function reasonOf(text: unknown): string {
  return typeof text === "string" ? `, ${text.slice(0, maxReasonLength)}` : "";
}

function failed(what: string): Refusal {
  return new Refusal("upstream_failed", `The server ${what}.`, { facts: { sent: true } });
}

/** @throws Refusal `upstream_failed` if it is no text that everybody reads alike */
function valueAt(
  bytes: Uint8Array,
  { start, end }: { readonly start: number; readonly end: number },
): unknown {
  const text = fromUtf8(bytes.subarray(start, end));
  if (text === undefined) throw failed("says what isn't UTF-8");
  return JSON.parse(text);
}

function objectIn(value: unknown, name: string): Json | undefined {
  const member = memberOf(value, name);
  return isObject(member) ? member : undefined;
}
