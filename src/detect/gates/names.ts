/** What names and annotations say against a call: that it can't be undone, that its tool poses as another server's. */
import { skeleton } from "../../wire/posing-letters.ts";

export interface Annotations {
  readonly readOnlyHint?: boolean;
  readonly destructiveHint?: boolean;
}

/** Verbs after which something is gone, or has left the house. */
const destroying =
  /^(?:delete|remove|drop|destroy|purge|wipe|erase|truncate|terminate|revoke|uninstall|unlink|shred|format|reset|kill|cancel|deactivate|disable|overwrite|transfer|pay|refund|withdraw|wire)$/;
const reading =
  /^(?:get|list|search|read|view|show|find|fetch|describe|query|count|check|preview|explain|help)$/;

/**
 * Whether a call can't be undone: by the tool's annotation, else by a verb among the first words of its name. A tool that calls
 * itself read-only isn't believed when its name says otherwise: annotations are the server's word.
 */
export function isDestructive(tool: string, { readOnlyHint, destructiveHint }: Annotations = {}): boolean {
  if (destructiveHint === true && readOnlyHint !== true) return true;
  const words = wordsOf(tool);
  const verb = words.find((word) => destroying.test(word) || reading.test(word));
  return verb !== undefined && destroying.test(verb) && !(destructiveHint === false && readOnlyHint !== true);
}

/** Longer names are none. */
const maxName = 256;

function wordsOf(tool: string): readonly string[] {
  return tool
    .slice(0, maxName)
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
}

/** Tools of all servers by what their names look like. Made when lists change, asked on each call. */
export type Lookalikes = ReadonlyMap<string, ReadonlySet<string>>;

export function lookalikesOf(
  tools: Iterable<{ readonly server: string; readonly name: string }>,
): Lookalikes {
  const found = new Map<string, Set<string>>();
  for (const { server, name } of tools) {
    const form = formOf(name);
    const servers = found.get(form);
    if (servers === undefined) found.set(form, new Set([server]));
    else servers.add(server);
  }
  return found;
}

/** Other servers that have a tool of that name, or of one that looks like it. */
export function shadowing(server: string, tool: string, tools: Lookalikes): readonly string[] {
  return [...(tools.get(formOf(tool)) ?? [])].filter((each) => each !== server);
}

function formOf(name: string): string {
  return skeleton(name.slice(0, maxName).replaceAll(/[\s._\-/:]+/g, ""));
}
