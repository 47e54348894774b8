/** What something that was made holds on to, measured after everything else was collected. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;

/** @returns bytes on the heap that what `make` returns keeps alive, about */
export function heldBy(make: () => unknown): number {
  collect();
  const before = process.memoryUsage();
  const kept = make();
  collect();
  const after = process.memoryUsage();
  const bytes = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  // INVARIANT: it is alive until here.
  return kept === undefined ? 0 : bytes;
}
