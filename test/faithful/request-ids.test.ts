/** Class 10: an id is its client's own, and so is its type. Answers never cross, however many use the same. */
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { clientOf, enrol, eventually, toolCall } from "../support/gateway.ts";
import { heardIn, messagesIn, scriptedServer, stdioClient, valueIn } from "../support/pipes.ts";
import { modernCall, ways } from "../support/ways.ts";

const all = await ways({ after });

/** Answers each call with what it was asked, not in the order they came. */
function answerLater(): void {
  all.answering((_request, response, body) => {
    const { id, params } = JSON.parse(body) as {
      readonly id: unknown;
      readonly params: { readonly arguments: { readonly n: number } };
    };
    const { n } = params.arguments;
    const answer = JSON.stringify({ jsonrpc: "2.0", id, result: { n } });
    const isStream = n % 3 === 0;
    setTimeout(
      () => {
        response.writeHead(200, { "content-type": isStream ? "text/event-stream" : "application/json" });
        response.end(isStream ? `data: ${answer}\n\n` : answer);
      },
      (n * 7) % 20,
    );
  });
}

function idOf(n: number): number | string {
  return n % 2 === 0 ? 1 : "1";
}

test('many callers that all use the ids 1 and "1" get their own answers', async () => {
  answerLater();
  for (const way of all.ours) {
    const asked = Array.from({ length: 60 }, async (_, n) => {
      const { bytes } = await way.ask({ body: JSON.stringify(toolCall("a", idOf(n), { n })) });
      const answer = bytes
        .toString()
        .replace(/^data: /, "")
        .trimEnd();
      assert.equal(answer, JSON.stringify({ jsonrpc: "2.0", id: idOf(n), result: { n } }), way.name);
    });
    await Promise.all(asked);
  }
});

test('a stdio client that has 1 and "1" under way at once gets an answer to each', async (t) => {
  answerLater();
  const client = await stdioClient(t, all.house, "stub");
  for (const [id, n] of [
    [1, 3],
    ["1", 4],
  ] as const) {
    client.write(`${JSON.stringify(toolCall("a", id, { n }))}\n`);
  }
  await eventually("both came", () => client.lines.length === 2);
  assert.deepEqual(client.lines.toSorted(), [
    '{"jsonrpc":"2.0","id":"1","result":{"n":4}}',
    '{"jsonrpc":"2.0","id":1,"result":{"n":3}}',
  ]);
});

test('over a modern stdio server, callers that all use the ids 1 and "1" get their own answers', async (t) => {
  const { house } = await scriptedServer(t, "", "limits: { answer_timeout: 30s }");
  const clients = [
    clientOf(t, house, await enrol(house, "agent/a")),
    clientOf(t, house, await enrol(house, "agent/b")),
  ];
  const asked = Array.from({ length: 12 }, async (_, n) => {
    const { headers, body } = modernCall("after", { n, ms: (n * 7) % 20 }, idOf(n));
    const { text } = (await clients[n % 4 < 2 ? 0 : 1]?.request("pipe", {
      headers: headers as Record<string, string>,
      body: String(body),
    })) ?? { text: "" };
    assert.deepEqual((JSON.parse(text) as { readonly id: unknown }).id, idOf(n));
    assert.deepEqual(valueIn(text), { n, ms: (n * 7) % 20 });
  });
  await Promise.all(asked);
});

test('over legacy sessions of a stdio server, each has its own 1 and its own "1", at once', async (t) => {
  const { session } = await scriptedServer(t, "", "limits: { answer_timeout: 30s }");
  const sessions = await Promise.all(Array.from({ length: 5 }, () => session()));
  const asked = sessions.flatMap(({ call }, s) =>
    [1, "1"].map(async (id, i) => {
      const given = { s, i, ms: (s + i) % 2 === 0 ? 20 : 1 };
      const { text } = await call("after", given, id);
      const [message = ""] = messagesIn(text).slice(-1);
      assert.deepEqual([(JSON.parse(message) as { readonly id: unknown }).id, valueIn(text)], [id, given]);
    }),
  );
  await Promise.all(asked);
});

test("ids reach a stdio server as they were spelled, and none is rewritten", async (t) => {
  const { session, client } = await scriptedServer(t);
  const { headers, call } = await session();
  const spellings = ["1.0", "-0", '"\\u0031"', "9007199254740991", '""', '"\\ud83d\\ude00"'];
  for (const id of spellings) {
    const body = `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"echo","arguments":{}}}`;
    const answered = await client.request("pipe", {
      headers: { "content-type": "application/json", ...headers },
      body,
    });
    assert.equal(answered.status, 200, id);
    const answer = JSON.parse(answered.text) as { readonly id: unknown };
    assert.equal(JSON.stringify(answer.id), JSON.stringify(JSON.parse(id)), id);
  }
  const heard = heardIn((await call("heard", {}, "last")).text);
  assert.deepEqual(
    heard.slice(-1 - spellings.length, -1).map((line) => /"id":(.*?),"method/.exec(line)?.[1]),
    spellings,
  );
});

test("requests that share a progress token get their own progress, since neither shares a process", async (t) => {
  const { way, pipe } = await scriptedServer(t);
  const asked = (id: string, progress: number) => {
    const note = { jsonrpc: "2.0", method: "notifications/progress", params: { progressToken: 1, progress } };
    return modernCall("say", { text: `${JSON.stringify(note)}\n` }, id, { progressToken: 1 });
  };
  const [one, two] = [await way.open(asked("a", 1)), await way.open(asked("b", 2))];
  await eventually("each hears", () => one.sofar() !== "" && two.sofar() !== "");
  assert.equal((await pipe("echo")).status, 200);
  assert.deepEqual(
    [one, two].map(({ sofar }) => [...sofar().matchAll(/"progress":(\d)/g)].map(([, n]) => n)),
    [["1"], ["2"]],
  );
  for (const { leave } of [one, two]) leave();
});
