/** What a piece of work costs: many times over, by the clock and by the kernel's account of CPU time. */
import { median } from "../../kernel/statistics.ts";

export interface Sample {
  readonly operations: number;
  /** Median of the single times. */
  readonly latencyUs: number;
  /** User and system time of this process, per operation. */
  readonly cpuUs: number;
}

/** Single times are kept until their median is taken. */
const maxOperations = 20_000;

/** Repeats `operation` until the slice is over; once at least. */
export function sampled(operation: () => void, sliceMs: number): Sample {
  const latenciesUs: number[] = [];
  const before = cpuUsOfProcess();
  let began = performance.now();
  const end = began + sliceMs;
  do {
    operation();
    const now = performance.now();
    latenciesUs.push((now - began) * 1000);
    began = now;
  } while (began < end && latenciesUs.length < maxOperations);
  return sample(latenciesUs, cpuUsOfProcess() - before);
}

/** The same for work that is waited for. */
export async function sampledAsync(
  operation: () => Promise<number>,
  slice: { readonly ms: number; readonly leastOperations: number },
): Promise<Sample> {
  const latenciesUs: number[] = [];
  const before = cpuUsOfProcess();
  const end = performance.now() + slice.ms;
  do {
    latenciesUs.push(await operation());
  } while (
    latenciesUs.length < slice.leastOperations ||
    (performance.now() < end && latenciesUs.length < maxOperations)
  );
  return sample(latenciesUs, cpuUsOfProcess() - before);
}

/** User and system time of this process since it began. */
export function cpuUsOfProcess(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

function sample(latenciesUs: readonly number[], cpuUs: number): Sample {
  return {
    operations: latenciesUs.length,
    latencyUs: median(latenciesUs),
    cpuUs: cpuUs / latenciesUs.length,
  };
}
