/**
 * Names as labels. INVARIANT: callers write the names of servers, methods and tools, so one counts only if somebody
 * else has said it first: the config, the protocol, a pin, or a server that answered such a call.
 */
import { other } from "../../host/metrics/bounded-metrics.ts";
import { namedBy } from "../../wire/frame.ts";
import { sideMethods } from "../../policy/side-methods.ts";

/** Of servers whose tools aren't pinned. */
const maxToolsOfServer = 100;

const methods: ReadonlySet<string> = new Set([
  ...namedBy.keys(),
  ...sideMethods,
  "initialize",
  "ping",
  "server/discover",
  "tools/list",
  "prompts/list",
  "resources/list",
  "resources/templates/list",
  "completion/complete",
  "logging/setLevel",
  "notifications/initialized",
  "notifications/cancelled",
  "notifications/progress",
  "notifications/roots/list_changed",
  "GET",
  "DELETE",
  "POST",
  "response",
]);

export function knownMethod(method: string | undefined): string {
  return method !== undefined && methods.has(method) ? method : other;
}

export interface KnownTools {
  /** @param answered the server gave such a call an answer that says nothing of a failure */
  readonly named: (server: string, tool: string, answered: boolean) => string;
}

export function knownTools(isPinned: (server: string, tool: string) => boolean): KnownTools {
  const answering = new Map<string, Set<string>>();
  return {
    named: (server, tool, answered) => {
      if (isPinned(server, tool)) return tool;
      const known = answering.get(server) ?? new Set();
      if (known.has(tool)) return tool;
      if (!answered || known.size >= maxToolsOfServer) return other;
      known.add(tool);
      answering.set(server, known);
      return tool;
    },
  };
}
