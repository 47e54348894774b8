/** Frames on the signer's socket: four bytes of length, big-endian, and that many bytes of a JSON object in UTF-8. */
import type { Readable } from "node:stream";

import { concat, fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";

/** The longest is an answer with an SLH-DSA signature, or a certificate with a 2 KiB name: 11 KiB in base64. */
export const maxFrameBytes = 32 * 1024;
const headBytes = 4;

export function frame(message: object): Uint8Array {
  const body = utf8(JSON.stringify(message));
  const head = new Uint8Array(headBytes);
  new DataView(head.buffer).setUint32(0, body.length);
  return concat([head, body]);
}

/** What arrives, one message after the other. @throws Refusal `too_large` or `bad_json`; the rest is unreadable then */
export async function* framesOf(stream: Readable): AsyncGenerator<unknown, undefined> {
  let pending: Uint8Array = new Uint8Array(0);
  // Who sent what can't be read is still told so.
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    pending = concat([pending, chunk as Uint8Array]);
    for (let body = firstBody(pending); body !== undefined; body = firstBody(pending)) {
      yield parse(body);
      pending = pending.subarray(headBytes + body.length);
    }
  }
  return undefined;
}

function firstBody(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < headBytes) return undefined;
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0);
  if (length > maxFrameBytes) {
    throw new Refusal("too_large", `A frame has at most ${maxFrameBytes} bytes; this one says ${length}.`);
  }
  return bytes.length < headBytes + length ? undefined : bytes.subarray(headBytes, headBytes + length);
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(body) ?? "");
  } catch (cause) {
    throw new Refusal("bad_json", "Expected JSON in UTF-8.", { cause });
  }
}
