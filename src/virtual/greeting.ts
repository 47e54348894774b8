/** What joined servers say of themselves (`initialize`, `server/discover`), as what one server says. */
import { type Json, isObject, objectOf } from "../wire/values.ts";

/** A member's result of `initialize` or `server/discover`. */
export interface Greeting {
  readonly member: string;
  readonly result: Json;
}

/** What a virtual server calls itself. */
export interface Itself {
  readonly name: string;
  readonly version: string;
}

/** @param greetings at least one */
export function joinedInitialize(greetings: readonly Greeting[], itself: Itself): Json {
  return {
    // The oldest: a client that speaks it understands every member.
    protocolVersion: greetings.map(({ result }) => String(result["protocolVersion"])).toSorted()[0],
    capabilities: joinedCapabilities(greetings),
    serverInfo: itself,
    ...joinedInstructions(greetings),
  };
}

/** @param greetings at least one */
export function joinedDiscover(greetings: readonly Greeting[], itself: Itself): Json {
  // Who names no version at all doesn't take them from the others.
  const versions = greetings
    .map(({ result }) => textsOf(result["supportedVersions"]))
    .filter((each) => each.length > 0);
  const [first = [], ...others] = versions;
  return {
    resultType: "complete",
    supportedVersions: first.filter((version) => others.every((other) => other.includes(version))),
    capabilities: joinedCapabilities(greetings),
    ...joinedInstructions(greetings),
    ...uncached,
    _meta: { [serverInfoKey]: itself },
  };
}

/** Of a result that depends on who asks and on which members answer (MCP 2026-07-28, caching). */
export const uncached = { ttlMs: 0, cacheScope: "private" } as const;

export const serverInfoKey = "io.modelcontextprotocol/serverInfo";

function joinedCapabilities(greetings: readonly Greeting[]): Json {
  const joined = greetings.map(({ result }) => objectOf(result["capabilities"])).reduce(union, {});
  const tasks = joined["tasks"];
  // The tasks of all members can't be listed; each can be asked for.
  if (!isObject(tasks)) return joined;
  const { list: _, ...rest } = tasks;
  return { ...joined, tasks: rest };
}

/** What any of them can do; where two say different things of one capability, the first one's word. */
function union(a: Json, b: Json): Json {
  const joined: Record<string, unknown> = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const other = joined[key];
    if (isObject(other) && isObject(value)) joined[key] = union(other, value);
    else if (other === undefined || value === true) joined[key] = value;
  }
  return joined;
}

function joinedInstructions(greetings: readonly Greeting[]): Json {
  const texts = greetings.flatMap(({ member, result }) => {
    const text = result["instructions"];
    return typeof text === "string" && text !== "" ? [`# ${member}\n\n${text}`] : [];
  });
  return texts.length === 0 ? {} : { instructions: texts.join("\n\n") };
}

function textsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
}
