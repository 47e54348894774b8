/** The file of traffic, asked in a thread: a look at months takes seconds, and calls go on meanwhile. */
import path from "node:path";

import type { ChangesAsked, TrafficAsked, TrafficReader } from "../../host/store/traffic-reader.ts";
import { keepThread } from "../thread.ts";
import type { ChangedEntry, TrafficOrder } from "./traffic-work.ts";

export interface AskedTraffic {
  readonly rows: (
    kind: "byRoute" | "overTime",
    asked: TrafficAsked,
  ) => Promise<ReturnType<TrafficReader["byRoute"]>>;
  readonly spreads: (asked: TrafficAsked) => Promise<ReturnType<TrafficReader["spreads"]>>;
  readonly firstSeen: (what: Pick<TrafficAsked, "caller" | "server">) => Promise<number | undefined>;
  readonly changes: (asked: ChangesAsked) => Promise<readonly ChangedEntry[]>;
  /** The file says something else from now on. */
  readonly written: () => void;
  readonly close: () => Promise<void>;
}

/** Answers that are kept until the file is written again, once a minute: pages ask the same then. */
const maxAnswers = 16;
const limits = {
  longestMs: 20_000,
  tooLong: "Too much is asked of the traffic at once; ask for a shorter time, or again in a moment.",
};

/** @param log the folder of the log */
export function askTraffic({ file, log }: { readonly file: string; readonly log: string }): AskedTraffic {
  const program = new URL(`traffic-worker${path.extname(import.meta.filename)}`, import.meta.url);
  const thread = keepThread<TrafficOrder>(program, limits);
  const answers = new Map<string, Promise<unknown>>();
  let writes = 0;
  const once = (order: TrafficOrder): Promise<unknown> => {
    const key = JSON.stringify(order);
    const known = answers.get(key);
    if (known !== undefined) return known;
    const answer = thread.ask<unknown>(order);
    answers.set(key, answer);
    const [oldest] = answers.keys();
    if (answers.size > maxAnswers && oldest !== undefined) answers.delete(oldest);
    answer.catch(() => {
      if (answers.get(key) === answer) answers.delete(key);
    });
    return answer;
  };
  /** What was written while it was asked would be missing: it isn't among what isn't written yet any more either. */
  const ask = async <T>(order: TrafficOrder): Promise<T> => {
    const before = writes;
    const answer = await once(order);
    return (before === writes ? answer : await once(order)) as T;
  };
  return {
    rows: (kind, asked) => ask({ file, kind, asked }),
    spreads: (asked) => ask({ file, kind: "spreads", asked }),
    firstSeen: (asked) => ask({ file, kind: "firstSeen", asked }),
    changes: (asked) => ask({ file, kind: "changes", asked, log }),
    written: () => {
      writes += 1;
      answers.clear();
    },
    close: thread.close,
  };
}
