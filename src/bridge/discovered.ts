/** What a legacy server said when a session was opened, as the modern era discovers it. */
import { type ClientSelf, legacyVersion, modernVersion } from "./requests.ts";

type Json = Readonly<Record<string, unknown>>;

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
    capabilities: withoutTasks(capabilities),
    // The legacy era wants a name.
    clientInfo: { name: "unknown", version: "0", ...clientInfo },
  };
}

/** The result of `server/discover`. What is known of a session may be another thing in the next one, so nothing of it is kept. */
export function discovered({ capabilities, serverInfo, instructions }: Greeting): Json {
  return {
    resultType: "complete",
    supportedVersions: [modernVersion],
    capabilities: withoutTasks(capabilities),
    ...(instructions !== undefined && { instructions }),
    ttlMs: 0,
    cacheScope: "private",
    ...(serverInfo && { _meta: { "io.modelcontextprotocol/serverInfo": serverInfo } }),
  };
}

/** The tasks of 2025-11-25 and the extension that came after them are two protocols. */
function withoutTasks(capabilities: Json): Json {
  const { tasks: _, extensions, ...rest } = capabilities;
  if (!isObject(extensions)) return extensions === undefined ? rest : { ...rest, extensions };
  const { "io.modelcontextprotocol/tasks": __, ...others } = extensions;
  return Object.keys(others).length === 0 ? rest : { ...rest, extensions: others };
}

/** Whether a capability is there, and, if one is named, whether that part of it is. */
export function can(capabilities: Json, name: string, part?: string): boolean {
  const found = capabilities[name];
  return isObject(found) && (part === undefined || found[part] === true);
}

function objectOf(value: unknown): Json {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
