/** Answers of any size, made piece by piece, so that who sends or checks them holds none of it whole. */
import { createHash } from "node:crypto";

export const mebi = 1024 * 1024;
export const bigBytes = 50 * mebi;

const unit = Buffer.from("0123456789abcdef \\n\\u00e9 \u00e9\u2603 ");
/** About 60 kB; no escape and no character is cut in two, and the size divides nothing that others count in. */
const piece = Buffer.concat(Array.from({ length: 1801 }, () => unit));

/** A JSON-RPC answer to `id` of `bytes` and a little more. */
export function* longAnswer(id: unknown, bytes: number): Generator<Buffer> {
  yield Buffer.from(
    `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{"content":[{"type":"text","text":"`,
  );
  yield* text(bytes);
  yield Buffer.from('"}]}}');
}

/** Notifications that hold `bytes` in all, each a message of its own. */
export function* notifications(bytes: number, progressToken?: unknown): Generator<Buffer> {
  for (let sent = 0, count = 1; sent < bytes; sent += piece.length, count += 1) {
    const params =
      progressToken === undefined
        ? `"level":"info","data":"`
        : `"progressToken":${JSON.stringify(progressToken)},"progress":${count},"message":"`;
    const method = progressToken === undefined ? "notifications/message" : "notifications/progress";
    yield Buffer.concat([
      Buffer.from(`{"jsonrpc":"2.0","method":"${method}","params":{${params}`),
      piece,
      Buffer.from('"}}'),
    ]);
  }
}

export function shortAnswer(id: unknown): Buffer {
  return Buffer.from(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{}}`);
}

/** One event with that message, as the gateway writes it for a server behind a pipe. */
export function* asEvent(message: Iterable<Buffer>): Generator<Buffer> {
  yield Buffer.from("event: message\ndata: ");
  yield* message;
  yield Buffer.from("\n\n");
}

export function* eventsOf(messages: Iterable<Buffer>): Generator<Buffer> {
  for (const message of messages) yield Buffer.concat([...asEvent([message])]);
}

export function hashOf(pieces: Iterable<Buffer>): string {
  const hash = createHash("sha256");
  for (const each of pieces) hash.update(each);
  return hash.digest("hex");
}

function* text(bytes: number): Generator<Buffer> {
  for (let sent = 0; sent < bytes; sent += piece.length) yield piece;
}
