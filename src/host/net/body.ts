/** Bodies: a request's, whole and bounded; a response's, no faster than its reader. */
import { Refusal } from "../../kernel/refusal.ts";
import { isMediaType, isUtf8Text } from "./headers.ts";
import type { ServedRequest, ServedResponse } from "./served.ts";

type Headed = Pick<ServedRequest, "headers">;

/** Of whichever side of an exchange. */
type Message = Omit<ServedRequest, "method" | "url" | "rawHeaders">;

/**
 * A message is JSON in UTF-8 as it stands: what a reader would have to decode first, we haven't read.
 * @throws Refusal `bad_media_type`
 */
export function checkContent(message: Headed): void {
  if (!isMediaType(message.headers["content-type"], "application/json")) {
    throw new Refusal("bad_media_type", "Expected Content-Type application/json, in UTF-8.");
  }
  checkEncoding(message);
}

/** @throws Refusal `bad_media_type` for text that isn't UTF-8 as it stands */
export function checkEncoding({ headers }: Headed): void {
  if (!isUtf8Text(headers["content-type"] ?? "")) {
    throw new Refusal("bad_media_type", "Expected text in UTF-8.");
  }
  const encoding = headers["content-encoding"];
  if (encoding !== undefined && encoding.toLowerCase() !== "identity") {
    throw new Refusal("bad_media_type", "Compressed requests aren't taken; send the JSON as it is.");
  }
}

/** What is left of a refused request is thrown away if it is no longer than this, and its connection goes on. */
const maxDiscardedBytes = 64 * 1024;

export function isBrief({ headers }: Headed): boolean {
  const declared = Number(headers["content-length"] ?? 0);
  return headers["transfer-encoding"] === undefined && declared <= maxDiscardedBytes;
}

/**
 * Rejects with Refusal `too_large` as soon as it is known to be longer than `maxBytes`, and with
 * `bad_message` if the sender stops in the middle.
 */
export function readBody(message: Message, maxBytes: number): Promise<Uint8Array> {
  const declared = Number(message.headers["content-length"] ?? 0);
  if (declared > maxBytes) return Promise.reject(tooLarge(maxBytes));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const take = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        message.off("data", take);
        message.resume();
        reject(tooLarge(maxBytes));
        return;
      }
      chunks.push(chunk);
    };
    let isWhole = false;
    message.on("data", take);
    message.on("end", () => {
      isWhole = true;
      resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks));
    });
    message.on("error", (cause) => reject(new Refusal("bad_message", "The request broke off.", { cause })));
    message.on("close", () => {
      if (!isWhole) reject(new Refusal("bad_message", "The request broke off."));
    });
  });
}

/** How long a reader may take nothing at all of what is written to it. */
const stallMs = 60_000;

/** What a connection is given at a time: TLS encrypts all it is given at once, and keeps it until it is read. */
const sliceBytes = 64 * 1024;

/** Resolves when more may be written, or when nobody reads any more; who takes nothing for a minute is cut off. */
export function drained(response: ServedResponse, patienceMs = stallMs): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => response.destroy(), patienceMs);
    const done = (): void => {
      clearTimeout(timer);
      response.off("drain", done).off("close", done);
      resolve();
    };
    response.on("drain", done).on("close", done);
  });
}

/** Resolves when more may be written. @throws Refusal `upstream_failed` if nobody reads any more */
export async function writeTo(
  response: ServedResponse,
  bytes: Uint8Array,
  patienceMs = stallMs,
): Promise<void> {
  for (let at = 0; at < bytes.length && !isOver(response); at += sliceBytes) {
    if (!response.write(bytes.subarray(at, at + sliceBytes))) await drained(response, patienceMs);
  }
  if (isOver(response)) throw new Refusal("upstream_failed", "The caller went away.");
}

/** Gone, or ended from our side. (`writable` stays true either way.) */
function isOver(response: ServedResponse): boolean {
  return response.destroyed || response.writableEnded;
}

/** Writes what is left, and ends; never throws. A reader that doesn't take it isn't waited for any longer than before. */
export function endWith(response: ServedResponse, last?: Uint8Array, patienceMs = stallMs): void {
  if (last !== undefined && last.length > sliceBytes) {
    const end = last.length - sliceBytes;
    writeTo(response, last.subarray(0, end), patienceMs).then(
      () => endWith(response, last.subarray(end), patienceMs),
      () => undefined, // It is cut already.
    );
    return;
  }
  if (response.destroyed) return;
  const timer = setTimeout(() => response.destroy(), patienceMs);
  response.once("close", () => clearTimeout(timer));
  response.end(last);
}

function tooLarge(maxBytes: number): Refusal {
  return new Refusal("too_large", `The message is longer than ${maxBytes} bytes.`);
}
