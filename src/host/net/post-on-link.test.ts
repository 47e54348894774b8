/** The first request on a link: a whole answer of bounded length, nothing behind it, or none. */
import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { postOnLink } from "./post-on-link.ts";

interface Scene {
  readonly link: Duplex;
  readonly sent: () => string;
}

/** A link whose other end says these things, each in a piece of its own, and then what `last` does. */
function scene(pieces: readonly string[], last: "stays" | "ends" = "stays"): Scene {
  let sent = "";
  const left = pieces.map((piece) => Buffer.from(piece));
  const link = new Duplex({
    read() {
      const next = left.shift();
      if (next !== undefined) setImmediate(() => this.push(next));
      else if (last === "ends") setImmediate(() => this.push(null));
    },
    write(chunk: Buffer, _encoding, done) {
      sent += chunk.toString();
      done();
    },
  });
  return { link, sent: () => sent };
}

const post = (link: Duplex, timeoutMs = 5000): ReturnType<typeof postOnLink> =>
  postOnLink(link, { path: "/x", body: Buffer.from("{}"), maxAnswerBytes: 10, timeoutMs });
const ok = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n";

test("the answer is read in whatever pieces it comes, and the link is left as it was", async () => {
  for (const pieces of [[`${ok}abcd`], `${ok}abcd`.split(""), [ok, "ab", "cd"]]) {
    const { link, sent } = scene(pieces);
    const { status, body } = await post(link);
    assert.deepEqual([status, body.toString()], [200, "abcd"]);
    assert.match(sent(), /^POST \/x HTTP\/1\.1\r\nHost: localhost\r\n.*Content-Length: 2\r\n\r\n\{\}$/s);
    const listeners = ["readable", "end", "close", "error"].map((event) => link.listenerCount(event));
    assert.deepEqual([link.destroyed, ...listeners], [false, 0, 0, 0, 0]);
    link.destroy();
  }
});

const unusable: readonly (readonly [string, readonly string[], string])[] = [
  ["that is longer than any", ["HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n"], "bad_answer"],
  ["with more behind it", [`${ok}abcdHTTP/1.1 200 OK`], "bad_answer"],
  ["of unknown length", ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"], "bad_answer"],
  ["of two lengths", ["HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd"], "bad_answer"],
  ["that isn't HTTP", ["SSH-2.0-OpenSSH_9.9\r\n\r\n"], "bad_answer"],
  ["whose head has no end", ["HTTP/1.1 200 OK\r\n", "X: y\r\n".repeat(1000)], "bad_answer"],
  ["that says goodbye", ["HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"], "ECONNRESET"],
  ["that is the last", ["HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"], "ECONNRESET"],
];
for (const [what, pieces, cause] of unusable) {
  test(`a link with an answer ${what} isn't used`, async () => {
    const { link } = scene(pieces);
    await assert.rejects(post(link), (error: unknown) => {
      assert.ok(error instanceof Refusal);
      assert.deepEqual([error.code, error.facts], ["upstream_failed", { sent: false, cause }]);
      return true;
    });
    assert.ok(link.destroyed);
  });
}

test("a link that ends, or says nothing in time, isn't used", async () => {
  await assert.rejects(post(scene([ok], "ends").link), /UND_ERR_SOCKET/);
  await assert.rejects(post(scene([ok]).link, 1), /UND_ERR_CONNECT_TIMEOUT/);
  const { link } = scene([]);
  link.destroy();
  await assert.rejects(post(link), /UND_ERR_SOCKET/);
});
