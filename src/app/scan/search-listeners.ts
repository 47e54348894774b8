/** Ports that something on this machine listens on: which of them speak MCP. Each is asked as a stranger would ask it. */
import { plainUrl } from "../../inventory/clients/secrets.ts";
import type { Recognised } from "../../inventory/processes/recognise.ts";
import type { Listener, RunningProcess } from "../../inventory/processes/running-process.ts";
import type { Evidence, Problem, Sighting } from "../../inventory/sighting.ts";
import type { Answered } from "./ask-server.ts";
import { type Asking, inTurns } from "./asking.ts";

export interface ListenerSearch {
  readonly listeners: readonly Listener[];
  /** With `<secret>` in their command lines for what looks like one. */
  readonly processes: readonly RunningProcess[];
  readonly recognised: readonly Recognised[];
  readonly asking: Asking;
  readonly signal: AbortSignal;
}

/** Services that speak something else there, and write a line in their log for each stranger who doesn't. */
const others = new Set([
  22, 25, 53, 110, 111, 139, 143, 389, 445, 465, 587, 631, 636, 993, 995, 1433, 1521, 2049, 3306, 3389, 5432,
  5900, 6379, 9042, 11211, 27017,
]);
const maxListeners = 512;
/** Where MCP is served, by custom: the specification names no path. */
const paths = ["/mcp", "/sse", "/"];

export async function* searchListeners(search: ListenerSearch): AsyncGenerator<Sighting> {
  const all = reachable(search.listeners).filter(({ port }) => !others.has(port));
  if (all.length > maxListeners) {
    const because = `more than ${maxListeners} are open; the rest wasn't asked`;
    yield { kind: "problem", problem: { at: "listening ports of this machine", because } };
  }
  const work = async (listener: Listener): Promise<readonly Sighting[]> =>
    await sightingsOf(listener, search);
  for await (const found of inTurns(all.slice(0, maxListeners), work, search.signal)) yield* found;
}

/** Each port once, at an address that leads to it from here. What listens on `::` is there for IPv4 too, by default. */
function reachable(listeners: readonly Listener[]): readonly Listener[] {
  const found = new Map<string, Listener>();
  for (const listener of listeners) {
    const host = isWildcard(listener.host) ? "127.0.0.1" : listener.host;
    const key = `${host} ${listener.port}`;
    if (!found.has(key)) found.set(key, { ...listener, host });
  }
  return [...found.values()];
}

function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

async function sightingsOf(listener: Listener, search: ListenerSearch): Promise<readonly Sighting[]> {
  const { host, port, pid } = listener;
  const evidence = evidenceOf(listener, search);
  try {
    const posture = await search.asking.probe(host, port);
    if (posture === undefined) return [];
    const answers = posture.link.kind === "tls" ? "tls" : "http";
    const isOwn = search.recognised.some((one) => one.kind === "latticegate" && one.process.pid === pid);
    if (isOwn) {
      const endpoint = { host, port, answers, isLatticegate: true, evidence, posture } as const;
      return [{ kind: "endpoint", endpoint }];
    }
    const base = `${answers === "tls" ? "https" : "http"}://${host.includes(":") ? `[${host}]` : host}:${port}`;
    const { answered, problem } = await firstAnswer(base, search);
    if (answered !== undefined) return [{ kind: "server", server: { ...answered, evidence, posture } }];
    const endpoint = { host, port, answers, evidence, posture } as const;
    return [
      ...(problem === undefined ? [] : [{ kind: "problem", problem } as const]),
      ...(answers === "tls" ? [{ kind: "endpoint", endpoint } as const] : []),
    ];
  } catch (error) {
    search.signal.throwIfAborted();
    return [{ kind: "problem", problem: { at: `${host}:${port}`, because: reasonOf(error) } }];
  }
}

interface FirstAnswer {
  readonly answered?: Answered;
  /** What one of the paths did instead of an answer. */
  readonly problem?: Problem;
}

async function firstAnswer(base: string, { asking, signal }: ListenerSearch): Promise<FirstAnswer> {
  let problem: Problem | undefined;
  for (const path of paths) {
    const url = plainUrl(`${base}${path}`);
    if (url === undefined) return {};
    try {
      const answered = await asking.ask(url);
      if (answered !== undefined && (await isMcp(answered, base, asking))) return { answered };
    } catch (error) {
      signal.throwIfAborted();
      problem ??= { at: url, because: reasonOf(error) };
    }
  }
  return problem === undefined ? {} : { problem };
}

/** A path that nothing has. */
const nowhere = "/latticegate-scan/nothing/mcp";

/** Shut to strangers without saying how MCP is let in: where every path is shut so, nothing says that MCP is behind it. */
async function isMcp(answered: Answered, base: string, asking: Asking): Promise<boolean> {
  const by = answered.authentication?.kind;
  if (answered.spoken !== undefined || (by !== "basic" && by !== "unknown")) return true;
  return (await asking.ask(`${base}${nowhere}`)) === undefined;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message.slice(0, 256) : "it couldn't be asked";
}

function evidenceOf({ host, port, pid }: Listener, { processes }: ListenerSearch): Evidence {
  const process = processes.find((one) => one.pid === pid);
  const program = process === undefined ? undefined : process.command.join(" ").slice(0, 1024);
  return {
    by: "listener",
    host,
    port,
    ...(pid === undefined ? {} : { pid }),
    ...(program === undefined ? {} : { program }),
  };
}
