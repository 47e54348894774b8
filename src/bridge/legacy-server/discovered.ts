/** What a legacy server said when a session was opened, as the modern era discovers it. */
import { bridgeable } from "../capabilities.ts";
import { type ClientSelf, legacyVersion, modernVersion } from "../requests.ts";
import { type Json, isObject, objectOf } from "../../wire/values.ts";

/** What a bridge remembers of an `InitializeResult`. */
export interface Greeting {
  /** The version that is spoken in the session. */
  readonly protocolVersion: string;
  readonly capabilities: Json;
  readonly serverInfo?: Json;
  readonly instructions?: string;
}

export function greetingIn(result: unknown): Greeting | undefined {
  const said = objectOf(result);
  const { protocolVersion, serverInfo, instructions } = said;
  if (typeof protocolVersion !== "string") return undefined;
  return {
    protocolVersion,
    capabilities: objectOf(said["capabilities"]),
    ...(isObject(serverInfo) && { serverInfo }),
    ...(typeof instructions === "string" && { instructions }),
  };
}

/** The params of `initialize`, in a modern client's name. */
export function initializeParams({ clientInfo, capabilities }: ClientSelf): Json {
  return {
    protocolVersion: legacyVersion,
    capabilities: bridgeable(capabilities),
    // The legacy era wants a name.
    clientInfo: { name: "unknown", version: "0", ...clientInfo },
  };
}

/** The result of `server/discover`. What is known of a session may be another thing in the next one, so nothing of it is kept. */
export function discovered({ capabilities, serverInfo, instructions }: Greeting): Json {
  return {
    resultType: "complete",
    supportedVersions: [modernVersion],
    capabilities: bridgeable(capabilities),
    ...(instructions !== undefined && { instructions }),
    ttlMs: 0,
    cacheScope: "private",
    ...(serverInfo && { _meta: { "io.modelcontextprotocol/serverInfo": serverInfo } }),
  };
}
