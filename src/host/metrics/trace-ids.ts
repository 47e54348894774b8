/** Random ids of traces and spans, as W3C Trace Context writes them. */
import { freshNonce } from "../fresh-nonce.ts";

/** 32 hexadecimal digits. */
export function freshTraceId(): string {
  return Buffer.from(freshNonce()).toString("hex");
}

/** 16 hexadecimal digits. */
export function freshSpanId(): string {
  return Buffer.from(freshNonce().subarray(0, 8)).toString("hex");
}
