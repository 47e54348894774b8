/** How often something may be tried: buckets that fill again with time, one for each address and one for all. */
import { Refusal } from "./refusal.ts";

export interface Pace {
  /** At once. */
  readonly burst: number;
  /** How many come back in a minute. */
  readonly perMinute: number;
}

interface Bucket {
  level: number;
  atUnixMs: number;
}

const maxKeys = 4096;

/** @returns takes one try of `key`. @throws Refusal `too_many_requests` with how long to wait */
export function attempts(each: Pace, all?: Pace): (key: string, nowUnixMs: number) => void {
  const buckets = new Map<string, Bucket>();
  const common: Bucket = { level: all?.burst ?? 0, atUnixMs: 0 };
  return (key, nowUnixMs) => {
    const own = buckets.get(key) ?? { level: each.burst, atUnixMs: nowUnixMs };
    // What is asked for again moves to the end: the longest unused goes first.
    buckets.delete(key);
    buckets.set(key, own);
    const oldest = buckets.size > maxKeys ? buckets.keys().next().value : undefined;
    if (oldest !== undefined) buckets.delete(oldest);
    take(own, each, nowUnixMs);
    if (all !== undefined) take(common, all, nowUnixMs);
  };
}

function take(bucket: Bucket, { burst, perMinute }: Pace, nowUnixMs: number): void {
  const passedMs = Math.max(0, nowUnixMs - bucket.atUnixMs);
  bucket.level = Math.min(burst, bucket.level + (passedMs * perMinute) / 60_000);
  bucket.atUnixMs = nowUnixMs;
  if (bucket.level >= 1) {
    bucket.level -= 1;
    return;
  }
  const waitS = Math.ceil(((1 - bucket.level) * 60) / perMinute);
  throw new Refusal("too_many_requests", `Too many tries; try again in ${waitS} s.`, {
    headers: ["retry-after", String(waitS)],
  });
}
