/**
 * What the control room's answers cost a gateway that does nothing else and has sixty days of traffic: how long its
 * main thread, which carries the calls, is busy with one, and how much CPU all of its threads take.
 */
import { setTimeout as pause } from "node:timers/promises";

import { type Agent, request } from "undici";

import { apiRoot } from "../src/control/api.ts";
import { cpuMs, mainThreadMs } from "./machine.ts";

export interface AnswerCost {
  readonly what: string;
  /** Milliseconds. */
  readonly first: Cost;
  /** Asked again at once. */
  readonly again: Cost;
}

interface Cost {
  readonly mainMs: number;
  readonly allMs: number;
}

const dayMs = 86_400_000;

function questions(nowUnixMs: number): readonly string[] {
  const since = (days: number): number => nowUnixMs - (nowUnixMs % 60_000) - days * dayMs;
  return [
    "status",
    "calls?limit=100",
    `traffic?since=${since(1 / 24)}`,
    `traffic?since=${since(1)}`,
    `traffic?since=${since(60)}`,
    `map?since=${since(1)}`,
    `map?since=${since(60)}`,
    `map/${encodeURIComponent("server:stub")}?since=${since(1)}`,
    "changes?limit=8",
    "changes?limit=500&since=1",
  ];
}

export async function measureAnswers(socket: Agent, pid: number): Promise<readonly AnswerCost[]> {
  const costs: AnswerCost[] = [];
  for (const what of questions(Date.now()))
    costs.push({ what, first: await cost(socket, pid, what), again: await cost(socket, pid, what) });
  return costs;
}

async function cost(dispatcher: Agent, pid: number, what: string): Promise<Cost> {
  const [main, all] = [mainThreadMs(pid), cpuMs([pid])];
  const { statusCode, body } = await request(`http://localhost${apiRoot}/${what}`, { dispatcher });
  const text = await body.text();
  if (statusCode !== 200) throw new Error(`${what}: ${statusCode} ${text}`);
  // What is cleaned up after an answer belongs to it.
  await pause(100);
  return { mainMs: mainThreadMs(pid) - main, allMs: cpuMs([pid]) - all };
}

export function printAnswers(costs: readonly AnswerCost[]): void {
  console.log("\nAn answer of a gateway with sixty days of traffic; CPU, milliseconds.\n");
  console.log(
    `${"".padEnd(36)}${"main thread".padStart(12)}${"all".padStart(9)}${"again".padStart(9)}${"all".padStart(9)}`,
  );
  for (const { what, first, again } of costs) {
    const figures = [first.mainMs, first.allMs, again.mainMs, again.allMs];
    const [main = "", ...rest] = figures.map((ms) => ms.toFixed(1));
    console.log(
      what.replace(/since=\d{6,}/, sinceWords).padEnd(36) +
        main.padStart(12) +
        rest.map((each) => each.padStart(9)).join(""),
    );
  }
}

function sinceWords(since: string): string {
  const hours = (Date.now() - Number(since.slice("since=".length))) / 3_600_000;
  return hours < 23 ? `an hour` : `${Math.round(hours / 24)} d`;
}
