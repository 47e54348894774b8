/** What tools may do, alone and together, in the control API. */
import { type Route, route } from "../../control/route.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Config } from "../config.ts";
import { toolMarksAnswer } from "./tool-answers.ts";
import { combinationsOf, type Contexts, markedServers } from "./tool-marks.ts";

interface Reached {
  readonly caller: string;
  readonly server: string;
  /** Calls that were let through. */
  readonly allowed: number;
}

interface Needs {
  readonly clock: Clock;
  /** Who called what lately, the busiest first. */
  readonly reached: () => Promise<readonly Reached[]>;
}

export function toolMarkRoutes(config: Config, { reached, clock }: Needs): readonly Route[] {
  const marked = markedServers(config, clock.nowUnixMs);
  const virtual = new Map(
    Object.entries(config.virtual_servers).map(([name, { servers }]) => [name, servers]),
  );
  return [
    route({
      method: "GET",
      path: "/tools/marks",
      summary:
        "What each tool may do, and which ones together let a stranger's text carry data away or do harm.",
      tag: "tools",
      role: "viewer",
      answer: toolMarksAnswer,
      handle: async () => {
        const { tools, left } = marked();
        const contexts: Contexts = { virtual, callers: byCaller(await reached(), config) };
        return {
          tools: tools.map(({ server, name, may, traits, findings }) => ({
            server,
            tool: name,
            may,
            marks: traits.map(({ trait: mark, source, because }) => ({ mark, source, because })),
            findings: findings.map(({ kind, severity, says }) => ({ kind, severity, says })),
          })),
          combinations: combinationsOf(tools, contexts).map(({ parts, ...each }) => ({
            ...each,
            parts: parts.map(({ trait: mark, tools: names }) => ({ mark, tools: names })),
          })),
          left,
        };
      },
    }),
  ];
}

/** By caller, the servers it was let through to; those of a virtual server are the ones behind it. */
function byCaller(
  reached: readonly Reached[],
  { servers, virtual_servers: virtual }: Config,
): Contexts["callers"] {
  const callers = new Map<string, Set<string>>();
  for (const { caller, server, allowed } of reached) {
    if (allowed === 0) continue;
    const behind = virtual[server]?.servers ?? (Object.hasOwn(servers, server) ? [server] : []);
    const own = callers.get(caller) ?? new Set();
    for (const each of behind) own.add(each);
    callers.set(caller, own);
  }
  return callers;
}
