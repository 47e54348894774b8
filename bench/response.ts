/**
 * From a finding to the refused next call: a call that shows an attack is sent, a playbook answers it, and the caller's next
 * call of that tool is refused. Both round trips are in it, through the listener and the log on disk. Beside it stand the
 * same two calls again, when all was done already: the difference is what responding costs.
 */
import { writeFile } from "node:fs/promises";
import path from "node:path";

import type { Pool } from "undici";

import { median, quantile } from "../src/kernel/statistics.ts";
import type { Cleanup } from "../test/support/cleanup.ts";
import { toolCall } from "../test/support/gateway.ts";
import { directLink, type GatewayProcess, gatewayProcess } from "../test/support/gateway-process.ts";

const callers = 10;
/** Beyond fifty restrictions a caller has one for all. */
const toolsOfEach = 30;
/** Calls of another caller that are always under way. */
const busyWith = 8;

/** Milliseconds. */
export interface ResponseTimes {
  readonly action: "quarantine" | "read_only";
  readonly isBusy: boolean;
  readonly samples: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Of the same calls when nothing was left to be done. */
  readonly idleP50Ms: number;
  readonly idleP99Ms: number;
  /** Median of the differences of a pair. */
  readonly costMs: number;
}

interface Setting {
  readonly t: Cleanup;
  readonly folder: string;
  readonly stubUrl: string;
}

export async function measureResponse(setting: Setting): Promise<readonly ResponseTimes[]> {
  const measured: ResponseTimes[] = [];
  for (const action of ["quarantine", "read_only"] as const) {
    for (const isBusy of [false, true]) measured.push(await measure(setting, action, isBusy));
  }
  return measured;
}

async function measure(
  { t, folder, stubUrl }: Setting,
  action: ResponseTimes["action"],
  isBusy: boolean,
): Promise<ResponseTimes> {
  const playbooks = path.join(folder, `${action}-${String(isBusy)}.yaml`);
  await writeFile(
    playbooks,
    `playbooks:\n  - { name: leaks, because: A key., on: { findings: [secret] }, steps: [{ do: ${action}, for: 1h }] }\n`,
  );
  const yaml = `servers: { bank: { url: "${stubUrl}" } }\nresponse: { playbooks: ${JSON.stringify(playbooks)} }`;
  const gateway = await gatewayProcess(t, yaml);
  const links: Pool[] = [];
  for (let i = 0; i < callers; i += 1) links.push(await directLink(t, gateway, `agent${i}`));
  const load = isBusy ? await loadOn(t, gateway) : undefined;
  const [first, again]: [number[], number[]] = [[], []];
  // The gateway's code is warm before it counts.
  for (let tool = -10; tool < toolsOfEach; tool += 1) {
    for (const link of links) {
      const name = `t${tool + 10}`;
      const [acted, idle] = [await pair(link, name), await pair(link, name)];
      if (tool < 0) continue;
      first.push(acted);
      again.push(idle);
    }
  }
  await load?.stop();
  await gateway.stop();
  return timesOf({ action, isBusy }, first, again);
}

const key = `ghp_${"aB3dE5fG7hJ9".repeat(3)}`;

/** The call that shows it, and the next one. */
async function pair(link: Pool, tool: string): Promise<number> {
  const began = performance.now();
  await refused(link, tool, { text: key });
  await refused(link, tool, { text: "Hello." });
  return performance.now() - began;
}

async function refused(link: Pool, tool: string, args: object): Promise<void> {
  const text = await call(link, tool, args);
  if (!text.includes("Denied by policy")) throw new Error(`not refused: ${text}`);
}

async function call(link: Pool, tool: string, args: object): Promise<string> {
  const answer = await link.request({
    method: "POST",
    path: "/mcp/bank",
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify(toolCall(tool, 1, args)),
  });
  return await answer.body.text();
}

async function loadOn(t: Cleanup, gateway: GatewayProcess): Promise<{ readonly stop: () => Promise<void> }> {
  const link = await directLink(t, gateway, "busy");
  const over = new AbortController();
  const one = async (): Promise<void> => {
    while (!over.signal.aborted) await call(link, "work", { text: "Hello." });
  };
  const all = Array.from({ length: busyWith }, one);
  return {
    stop: async () => {
      over.abort();
      await Promise.all(all);
    },
  };
}

function timesOf(
  what: Pick<ResponseTimes, "action" | "isBusy">,
  first: readonly number[],
  again: readonly number[],
): ResponseTimes {
  const [sorted, idle] = [first.toSorted((a, b) => a - b), again.toSorted((a, b) => a - b)];
  return {
    ...what,
    samples: first.length,
    p50Ms: quantile(sorted, 0.5),
    p99Ms: quantile(sorted, 0.99),
    maxMs: sorted.at(-1) ?? Number.NaN,
    idleP50Ms: quantile(idle, 0.5),
    idleP99Ms: quantile(idle, 0.99),
    costMs: median(first.map((each, i) => each - (again[i] ?? Number.NaN))),
  };
}

export function printResponse(measured: readonly ResponseTimes[]): void {
  console.log(
    "\nFrom the call that shows an attack to the refused next one, both round trips; milliseconds.\n",
  );
  console.log(
    `${"".padEnd(34)}${"p50".padStart(8)}${"p99".padStart(8)}${"max".padStart(8)}${"paired p50".padStart(12)}${"paired p99".padStart(12)}${"cost".padStart(8)}`,
  );
  for (const { action, isBusy, samples, p50Ms, p99Ms, maxMs, idleP50Ms, idleP99Ms, costMs } of measured) {
    const name = `${action}${isBusy ? `, ${busyWith} calls in flight` : ""} (${samples})`;
    const figures = [p50Ms, p99Ms, maxMs].map((ms) => ms.toFixed(1).padStart(8)).join("");
    const paired = [idleP50Ms, idleP99Ms].map((ms) => ms.toFixed(1).padStart(12)).join("");
    console.log(`${name.padEnd(34)}${figures}${paired}${costMs.toFixed(1).padStart(8)}`);
  }
}
