/** Requests to one API: tried again where that is harmless, left alone while it is down, bounded. */
import assert from "node:assert/strict";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { gzipSync } from "node:zlib";

import { Pool } from "undici";

import { atEnd, type Cleanup } from "../../../test/support/cleanup.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { apiConnection, type ApiConnection } from "./api-connection.ts";

type Answering = (request: http.IncomingMessage, response: http.ServerResponse) => void;

async function served(
  t: Cleanup,
  answer: Answering,
): Promise<{ readonly asked: string[]; readonly clock: { ms: number }; readonly connection: ApiConnection }> {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
    answer(request, response);
  });
  await new Promise<void>((listening) => void server.listen(0, "127.0.0.1", listening));
  const baseUrl = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/base/`);
  const pool = new Pool(baseUrl.origin);
  atEnd(t, async () => {
    await pool.destroy();
    server.closeAllConnections();
    server.close();
  });
  const clock = { ms: 0 };
  const connection = apiConnection({
    baseUrl,
    timeoutMs: 300,
    answerBytes: 1000,
    headers: ["x-key", "ours"],
    query: [],
    cookies: [],
    version: "0",
    dispatcher: () => pool,
    nowMs: () => clock.ms,
    pausesMs: [0, 0],
  });
  return { asked, clock, connection };
}

const asker = {
  caller: {
    id: "spiffe://a.test/x",
    chain: [],
    proof: { kind: "svid", serial: "1", issuer: "", notAfterUnixMs: Infinity },
  },
  gone: new AbortController().signal,
} as const;
const send = (connection: ApiConnection, method: string, more: object = {}) =>
  connection.send({ method, target: "/x", headers: [], ...more }, asker);

for (const [method, times] of [
  ["GET", 3],
  ["PUT", 3],
  ["DELETE", 3],
  ["POST", 1],
  ["PATCH", 1],
] as const) {
  test(`${method} is sent ${times === 1 ? "once" : "three times"} to an API that is unavailable`, async (t) => {
    const { asked, connection } = await served(t, (_request, response) => response.writeHead(503).end());
    assert.equal((await send(connection, method)).status, 503);
    assert.deepEqual(
      asked,
      Array.from({ length: times }, () => `${method} /base/x`),
    );
  });
}

test("a POST whose link broke may have been carried out, and isn't sent again", async (t) => {
  const { asked, connection } = await served(t, (request) => void request.socket.destroy());
  await assert.rejects(send(connection, "POST", { body: utf8("{}") }), Refusal);
  assert.equal(asked.length, 1);
});

test("an API that fails five times in a row is left alone, and asked once again after a while", async (t) => {
  let status = 503;
  const { asked, clock, connection } = await served(t, (_request, response) =>
    response.writeHead(status).end(),
  );
  for (let count = 0; count < 5; count++) await send(connection, "POST");
  await assert.rejects(send(connection, "POST"), /failed 5 times in a row/);
  assert.equal(asked.length, 5);
  clock.ms += 16_000;
  await send(connection, "POST");
  await assert.rejects(send(connection, "POST"), /failed 6 times in a row/);
  clock.ms += 16_000;
  status = 200;
  await send(connection, "POST");
  assert.equal((await send(connection, "POST")).status, 200);
});

for (const [what, answer, because] of [
  ["longer than the bound", (_, response) => response.end("x".repeat(2000)), /longer than 1000 bytes/],
  [
    "packed, though it was asked not to be",
    (_, response) =>
      response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("x".repeat(100_000))),
    /packs its answer/,
  ],
  [
    "a stream of events",
    (_, response) =>
      void response.writeHead(200, { "content-type": "text/event-stream" }).write("data: x\n\n"),
    /a stream of events/,
  ],
  ["none in time", () => undefined, /didn't answer within 0\.3 seconds/],
] as const satisfies readonly (readonly [string, Answering, RegExp])[]) {
  test(`an answer that is ${what} is a failure that says so`, async (t) => {
    const { connection } = await served(t, answer);
    await assert.rejects(
      send(connection, "POST"),
      (error: unknown) => error instanceof Refusal && because.test(error.message),
    );
  });
}

test("no header of a call stands where a credential does", async (t) => {
  let key: unknown;
  const { connection } = await served(t, (request, response) => {
    key = request.headers["x-key"];
    response.end("{}");
  });
  await send(connection, "GET", { headers: [["x-key", "theirs"]] });
  assert.equal(key, "ours");
});
