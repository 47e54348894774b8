/** The message front against answers as a network gives them, without the network. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { CollectedAnswer } from "./net/http-exchange.ts";
import { systemLog } from "./system.ts";
import { MessageFront, type MessageFrontOptions } from "./message-front.ts";

const log = systemLog({ level: "error", form: "json", write: () => undefined });

function stream(...events: readonly string[]): CollectedAnswer {
  async function* chunks(): AsyncGenerator<Uint8Array, void> {
    for (const event of events) yield utf8(event);
  }
  return { kind: "stream", status: 200, headers: [], chunks: chunks() };
}

const answer = 'data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n';

/** Sends one call through a front. @returns what its client reads, and what was sent for it */
async function ask(
  outcomes: readonly (CollectedAnswer | Refusal)[],
): Promise<{ readonly line: string; readonly sent: readonly string[] }> {
  const sent: string[] = [];
  const line = Promise.withResolvers<string>();
  const send: MessageFrontOptions["send"] = ({ method, headers }) => {
    const outcome = outcomes[sent.length];
    const lastId = headers.indexOf("last-event-id");
    sent.push(lastId === -1 ? method : `${method} after ${headers[lastId + 1] ?? ""}`);
    return outcome instanceof Refusal || outcome === undefined
      ? Promise.reject(outcome ?? new Error("nothing more was expected"))
      : Promise.resolve(outcome);
  };
  const write = async (message: Uint8Array): Promise<void> => line.resolve(fromUtf8(message) ?? "");
  const front = new MessageFront({ send, write, log, maxEventBytes: 10_000 });
  front.take(utf8('{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a"}}'));
  return { line: await line.promise, sent };
}

test("a session that can't be opened again now is tried again at the next call", async () => {
  const json = (status: number, body: string, headers: readonly string[] = []): CollectedAnswer => ({
    kind: "whole",
    status,
    headers: [...headers],
    body: utf8(body),
  });
  const result = (id: number): string =>
    `{"jsonrpc":"2.0","id":${id},"result":{"protocolVersion":"2025-11-25"}}`;
  const script = [
    json(200, result(1), ["mcp-session-id", "one"]),
    json(404, ""), // The call: the session is lost,
    json(502, ""), // and another can't be had.
    json(404, ""),
    json(200, result(1), ["mcp-session-id", "two"]),
    json(202, ""),
    json(200, result(3)),
  ];
  const lines: string[] = [];
  const heard = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const front = new MessageFront({
    send: async ({ method }) => (method === "POST" ? script.shift() : undefined) ?? json(405, ""),
    write: async (message) => {
      lines.push(fromUtf8(message) ?? "");
      heard[lines.length - 1]?.resolve();
    },
    log,
    maxEventBytes: 10_000,
  });
  for (const [i, method] of ["initialize", "tools/list", "tools/list"].entries()) {
    front.take(utf8(`{"jsonrpc":"2.0","id":${i + 1},"method":"${method}","params":{}}`));
    await heard[i]?.promise;
  }
  assert.match(lines[1] ?? "", /"id":2,"error":.*another can't be had/);
  assert.match(lines[2] ?? "", /"id":3,"result"/);
});

function broken(sent: boolean): Refusal {
  return new Refusal("upstream_failed", "The link broke.", { facts: { sent } });
}

const primed = "id: a\nretry: 0\ndata: \n\n";

test("what comes back for a stream is asked for until it comes, from the last event that came", async () => {
  const { line, sent } = await ask([
    stream(primed),
    broken(true),
    stream("id: b\nretry: 0\ndata: \n\n"),
    stream(answer),
  ]);
  assert.match(line, /"result":\{\}/);
  assert.deepEqual(sent, ["POST", "GET after a", "GET after a", "GET after b"]);
});

test("a call itself is never sent again, nor is a stream asked for that can't be", async () => {
  for (const [outcomes, expected] of [
    [[broken(true)], ["POST"]],
    [[stream()], ["POST"]],
    [
      [stream(primed), broken(false)],
      ["POST", "GET after a"],
    ],
    [
      [stream(primed), { kind: "whole", status: 400, headers: [], body: utf8("{}") }],
      ["POST", "GET after a"],
    ],
  ] satisfies readonly (readonly [readonly (CollectedAnswer | Refusal)[], readonly string[]])[]) {
    const { line, sent } = await ask(outcomes);
    assert.match(line, /"id":1,"error"/);
    assert.deepEqual(sent, expected);
  }
});
