/** Heavy work that people ask for: one piece at a time, and few that wait. */
import { Refusal } from "../kernel/refusal.ts";

/** Nobody keeps the machine busy by asking again and again. */
const fewWait = 4;

/** @param busy what is said to whom there is no room for */
export function oneAtATime(busy: string, mostWaiting = fewWait): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return async (work) => {
    if (waiting >= mostWaiting) throw new Refusal("busy", busy);
    waiting += 1;
    const mine = last.then(work);
    last = mine.catch(() => undefined);
    return await mine.finally(() => (waiting -= 1));
  };
}
