/** A gateway with long answers behind it, and the means to see what they cost: its memory, and the calls of others. */
import assert from "node:assert/strict";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

import { type Caller, directCaller, textOf } from "./big-caller.ts";
import { mebi } from "./big-payload.ts";
import { bigServer, type BigServer } from "./big-server.ts";
import type { Cleanup } from "./cleanup.ts";
import { gatewayProcess, type GatewayProcess } from "./gateway-process.ts";
import { type Footprint, footprint, inMebi } from "./memory.ts";

const pipe = fileURLToPath(new URL("./big-stdio-server.ts", import.meta.url));

/** What a process holds beside what it is asked to: code that is compiled, garbage that isn't collected yet. */
const restMebi = 128;
/** So that what others cost isn't what is measured. */
const betweenCallsMs = 5;
const otherServers = ["http", "elsewhere", "pipe"] as const;

const table: string[][] = [["case", "who", "before", "peak", "after", "bound", "others answered"]];

/** The table of all that was measured. */
export function printed(): string {
  const widths = table[0]?.map((_, i) => Math.max(...table.map((row) => row[i]?.length ?? 0))) ?? [];
  const lines = table.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  "));
  return ["Resident memory, MiB", ...lines].join("\n");
}

export interface Scene {
  readonly gateway: GatewayProcess;
  readonly server: BigServer;
  readonly direct: Caller;
  /** Another caller, who must not be slowed. */
  readonly other: Caller;
}

export async function scene(t: Cleanup): Promise<Scene> {
  const server = await bigServer(t);
  const command = `["${process.execPath}", "${pipe}"]`;
  const gateway = await gatewayProcess(
    t,
    `servers: { http: { url: "${server.url}" }, elsewhere: { url: "${server.url}" }, pipe: { command: ${command} } }`,
  );
  const direct = await directCaller(t, gateway, "direct");
  return { gateway, server, direct, other: await directCaller(t, gateway, "other") };
}

function pidOf({ gateway }: Scene): number {
  return gateway.process.pid ?? 0;
}

/** Does `work` while others call; each of them must be answered in the end, and some of them during the work. */
export async function measured<T>(
  what: string,
  at: Scene,
  work: () => Promise<T>,
  options: { readonly boundMebi: number; readonly sidecar?: number },
): Promise<T> {
  const over = new AbortController();
  // Their links are there before: a newcomer may be turned away while a crowd is at the door.
  await Promise.all(otherServers.map(async (server) => textOf(await at.other.ask(server, "quick"))));
  const others = Promise.all(otherServers.map((server) => calling(at.other, server, over.signal)));
  const sidecar = options.sidecar ?? pidOf(at);
  const outer = await footprint(sidecar, () => footprint(pidOf(at), work));
  over.abort();
  const answered = await others;
  assert.ok(Math.min(...answered) > 0, "others are answered meanwhile");
  const { boundMebi } = options;
  note(what, "gateway", outer.value, { boundMebi, others: answered.join(" + ") });
  if (options.sidecar !== undefined) note(what, "sidecar", outer, { boundMebi });
  check(what, outer.value, boundMebi);
  if (options.sidecar !== undefined) check(`${what}, sidecar`, outer, boundMebi);
  return outer.value.value;
}

function note(
  what: string,
  who: string,
  { before, peak, after: end }: Footprint<unknown>,
  { boundMebi, others = "" }: { readonly boundMebi: number; readonly others?: string },
): void {
  const bound = `+${boundMebi + restMebi}`;
  table.push([
    what,
    who,
    inMebi(before),
    `${inMebi(peak)} (+${inMebi(peak - before)})`,
    inMebi(end),
    bound,
    others,
  ]);
}

function check(what: string, { before, peak }: Footprint<unknown>, boundMebi: number): void {
  const grown = inMebi(peak - before);
  assert.ok(peak - before <= (boundMebi + restMebi) * mebi, `${what}: memory grew by ${grown} MiB`);
}

/** Calls one after the other until it is over. @returns how many were answered */
async function calling(caller: Caller, server: string, over: AbortSignal): Promise<number> {
  let answered = 0;
  for (let id = 1; !over.aborted; id += 1) {
    const answer = await caller.ask(server, "quick", { id });
    assert.equal(answer.status, 200);
    assert.match(await textOf(answer), /"result"/);
    answered += 1;
    await pause(betweenCallsMs);
  }
  return answered;
}

export async function within(
  seconds: number,
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`);
    await pause(50);
  }
}
