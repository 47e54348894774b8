/** What the call model costs on the path: a call against what its session's tools answered before, and taking in an answer. */
import { readFileSync } from "node:fs";

import {
  freshBaseline,
  freshTrail,
  learnSession,
  noteCall,
  noteResult,
  parseCallModel,
  scoreCall,
} from "../src/detect/calls/watch.ts";
import { seededRandom } from "../src/kernel/seeded-random.ts";
import { median, quantile } from "../src/kernel/statistics.ts";

const contexts = [2, 20, 200] as const;
const calls = 4000;
const results = 8;

export interface ScoringResult {
  readonly contextKiB: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly resultP50Us: number;
}

const common =
  "account amount answer before budget call customer delete email file first guide house invoice john letter meeting name order paid please price query report send sheet task team then transfer update user visit week you".split(
    " ",
  );
const syllables = "ba co du fe gi ha jo ku la me ni po qua ro su ta vi wo xe zu".split(" ");

/** As in prose: few words that come often, many that come now and then. */
function wordOf(random: () => number): string {
  const pick = (of: readonly string[]): string => of[Math.floor(random() * of.length)] ?? "";
  return random() < 0.4 ? pick(common) : pick(syllables) + pick(syllables) + pick(syllables);
}

/** Prose with addresses and numbers in it, different each time. */
function textOf(chars: number, random: () => number): string {
  let text = "";
  while (text.length < chars) {
    const word = wordOf(random);
    const kind = random();
    if (kind < 0.03) text += `${word}${Math.floor(random() * 1000)}@example.org `;
    else if (kind < 0.06) text += `DE${Math.floor(random() * 1e15)} `;
    else text += kind < 0.12 ? `${word}.\n` : `${word} `;
  }
  return text;
}

/** Microseconds; scoring changes nothing, and what else the machine does meets one of three at most. */
function medianOfThree(run: () => unknown): number {
  const took = [1, 2, 3].map(() => {
    const began = performance.now();
    run();
    return (performance.now() - began) * 1000;
  });
  return median(took);
}

export function measureScoring(): readonly ScoringResult[] {
  const file = JSON.parse(readFileSync(new URL("../models/calls.json", import.meta.url), "utf8")) as {
    readonly model: unknown;
  };
  const model = parseCallModel(file.model);
  return contexts.map((contextKiB) => {
    const random = seededRandom(contextKiB);
    let trail = freshTrail();
    const baseline = freshBaseline();
    const took = new Float64Array(calls);
    const read: number[] = [];
    for (let i = 0; i < calls; i++) {
      if (i % 40 === 0) {
        trail = freshTrail();
        for (let result = 0; result < results; result++) {
          const text = textOf((contextKiB * 1024) / results, random);
          const began = performance.now();
          noteResult(trail, { tool: "read_file", texts: [text] });
          read.push((performance.now() - began) * 1000);
        }
      }
      const call = {
        tool: i % 3 === 0 ? "send_money" : "search_files",
        args: { recipient: `DE${Math.floor(random() * 1e15)}`, amount: i, subject: textOf(60, random) },
      };
      took[i] = medianOfThree(() => scoreCall({ trail, call, baseline, model }));
      noteCall(trail, call);
      learnSession(baseline, [call]);
    }
    const settled = took.slice(calls / 4).toSorted();
    return {
      contextKiB,
      p50Us: quantile([...settled], 0.5),
      p99Us: quantile([...settled], 0.99),
      resultP50Us: quantile(
        read.toSorted((a, b) => a - b),
        0.5,
      ),
    };
  });
}

export function printScoring(measured: readonly ScoringResult[]): void {
  console.log(`\nThe call model: ${calls} calls, each against the ${results} results its session has.\n`);
  for (const { contextKiB, p50Us, p99Us, resultP50Us } of measured)
    console.log(
      `  ${String(contextKiB).padStart(3)} KiB of results  p50 ${p50Us.toFixed(1)} us  p99 ${p99Us.toFixed(1)} us a call; ${resultP50Us.toFixed(0)} us to take in a result of ${(contextKiB / results).toFixed(1)} KiB`,
    );
}
