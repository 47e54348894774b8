/** One small request on a link that nothing else uses yet, and its answer, whole: HTTP/1.1 as our own servers write it. */
import type { Duplex } from "node:stream";

import { Refusal } from "../../kernel/refusal.ts";

const maxHeadBytes = 4096;

export interface LinkPost {
  readonly path: string;
  /** JSON. */
  readonly body: Uint8Array;
  readonly maxAnswerBytes: number;
  readonly timeoutMs: number;
}

export interface LinkAnswer {
  readonly status: number;
  readonly body: Uint8Array;
  /** The link is closed behind it. */
  readonly isLast: boolean;
}

/**
 * Leaves the link as it was before, unless it rejects.
 * Rejects with Refusal `upstream_failed` if there is no whole answer of bounded length in time and nothing behind it;
 * with cause `ECONNRESET` if the other end says goodbye, so that a new link is worth a try.
 */
export function postOnLink(link: Duplex, post: LinkPost): Promise<LinkAnswer> {
  return new Promise((resolve, reject) => {
    let received = Buffer.alloc(0);
    const finish = (settle: () => void): void => {
      clearTimeout(timer);
      link.off("readable", onReadable).off("end", onEnd).off("close", onEnd).off("error", onEnd);
      settle();
    };
    const fail = (why: string, cause: string): void =>
      finish(() => {
        link.on("error", () => undefined).destroy();
        reject(
          new Refusal("upstream_failed", `The link can't be used: ${why} (${cause}).`, {
            facts: { sent: false, cause },
          }),
        );
      });
    const onEnd = (): void => fail("the other end closed it", "UND_ERR_SOCKET");
    const onReadable = (): void => {
      for (let chunk: unknown = link.read(); chunk !== null; chunk = link.read()) {
        received = Buffer.concat([received, chunk as Buffer]);
      }
      const answer = readAnswer(received, post.maxAnswerBytes);
      if (answer === "partial") return;
      if (answer === undefined) fail("its first answer can't be read", "bad_answer");
      // Our servers say so when they stop (RFC 9110 §15.5.9).
      else if (answer.status === 408 || (answer.status === 200 && answer.isLast)) {
        fail("the other end is stopping", "ECONNRESET");
      } else finish(() => resolve(answer));
    };
    const timer = setTimeout(() => fail("no answer in time", "UND_ERR_CONNECT_TIMEOUT"), post.timeoutMs);
    link.on("readable", onReadable).on("end", onEnd).on("close", onEnd).on("error", onEnd);
    if (link.destroyed) {
      onEnd();
      return;
    }
    link.write(
      `POST ${post.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${post.body.length}\r\n\r\n`,
    );
    link.write(post.body);
  });
}

/** @returns undefined for what is no such answer, or more than one */
function readAnswer(bytes: Buffer, maxBodyBytes: number): LinkAnswer | "partial" | undefined {
  const end = bytes.subarray(0, maxHeadBytes).indexOf("\r\n\r\n");
  if (end === -1) return bytes.length < maxHeadBytes ? "partial" : undefined;
  const head = bytes.subarray(0, end + 2).toString("latin1");
  const status = /^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1];
  const lengths = [...head.matchAll(/\r\ncontent-length: *(\d{1,8})(?=\r\n)/gi)];
  const length = Number(lengths[0]?.[1]);
  if (status === undefined || lengths.length !== 1 || length > maxBodyBytes) return undefined;
  const body = bytes.subarray(end + 4);
  if (body.length > length) return undefined;
  if (body.length < length) return "partial";
  return { status: Number(status), body, isLast: /\r\nconnection: *close\r\n/i.test(head) };
}
