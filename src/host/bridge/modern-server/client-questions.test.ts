import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { fromUtf8, utf8 } from "../../../kernel/bytes.ts";
import { readFrame, type RequestFrame, type ResponseFrame } from "../../../wire/frame.ts";
import { ClientQuestions } from "./client-questions.ts";

const timeoutMs = 1000;

function question(id: string): RequestFrame {
  const text = JSON.stringify({ jsonrpc: "2.0", id, method: "roots/list" });
  return readFrame(utf8(text)) as RequestFrame;
}

function answer(id: string | number, rest: object = { result: {} }): ResponseFrame {
  return readFrame(utf8(JSON.stringify({ jsonrpc: "2.0", id, ...rest }))) as ResponseFrame;
}

function scene(t: TestContext): { readonly questions: ClientQuestions; readonly said: readonly string[] } {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const said: string[] = [];
  const questions = new ClientQuestions({
    timeoutMs,
    say: ({ bytes }, about) => void said.push(`${about} ${fromUtf8(bytes)}`),
  });
  return { questions, said };
}

const cancelled = (id: string): string =>
  `5 {"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"${id}","reason":"The answer isn't needed any more."}}`;

test("answers come in the order of the questions, whatever order they were given in, each once", async (t) => {
  const { questions, said } = scene(t);
  const asked = questions.ask([question("a"), question("b")], 5, new AbortController().signal);
  assert.equal(said[0], '5 {"jsonrpc":"2.0","id":"a","method":"roots/list"}');
  assert.equal(questions.take(answer("c")), false);
  assert.equal(questions.take(answer(1)), false);
  assert.equal(questions.take(answer("b", { result: { n: 1 } })), true);
  assert.equal(questions.take(answer("b", { result: { n: 2 } })), false);
  assert.equal(questions.take(answer("a")), true);
  assert.deepEqual(
    (await asked).map(({ bytes }) => fromUtf8(bytes)),
    ['{"jsonrpc":"2.0","id":"a","result":{}}', '{"jsonrpc":"2.0","id":"b","result":{"n":1}}'],
  );
  t.mock.timers.tick(2 * timeoutMs);
  assert.equal(said.length, 2, "nothing is taken back");
});

test("a question that isn't answered in time ends its round, and the others are taken back", async (t) => {
  const { questions, said } = scene(t);
  const asked = questions.ask([question("a"), question("b")], 5, new AbortController().signal);
  questions.take(answer("a"));
  t.mock.timers.tick(timeoutMs - 1);
  assert.equal(said.length, 2);
  t.mock.timers.tick(1);
  await assert.rejects(asked, { code: "upstream_timeout" });
  assert.deepEqual(said.slice(2), [cancelled("b")]);
  assert.equal(questions.take(answer("b")), false, "too late");
});

test("a round that is given up takes its questions back, once, also if that was before it began", async (t) => {
  const { questions, said } = scene(t);
  const gone = new AbortController();
  const asked = questions.ask([question("a")], 5, gone.signal);
  gone.abort();
  await assert.rejects(asked, { code: "upstream_failed" });
  assert.deepEqual(said.slice(1), [cancelled("a")]);
  await assert.rejects(questions.ask([question("b")], 5, gone.signal), { code: "upstream_failed" });
  t.mock.timers.tick(2 * timeoutMs);
  assert.equal(said.filter((each) => each.includes("cancelled")).length, 2);
});

test("256 questions wait at most, and others may when some were answered", async (t) => {
  const { questions, said } = scene(t);
  const gone = new AbortController();
  const rounds = Array.from({ length: 8 }, (_, round) =>
    questions.ask(
      Array.from({ length: 32 }, (__, i) => question(`${round}.${i}`)),
      5,
      gone.signal,
    ),
  );
  await assert.rejects(questions.ask([question("x")], 5, gone.signal), { code: "busy" });
  assert.equal(said.length, 256);
  for (let i = 0; i < 32; i++) questions.take(answer(`3.${i}`));
  await rounds[3];
  const asked = questions.ask([question("x")], 5, gone.signal);
  questions.take(answer("x"));
  await asked;
  gone.abort();
  for (const round of rounds.filter((_, i) => i !== 3)) await assert.rejects(round);
});
