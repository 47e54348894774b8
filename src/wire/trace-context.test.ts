/** Whose trace a message belongs to, and what can't be one. */
import assert from "node:assert/strict";
import test from "node:test";

import { readFrame } from "./frame.ts";
import { edited } from "./json-edit.ts";
import { parentEdit, readTraceParent, traceParentOf } from "./trace-context.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const parentId = "b7ad6b7169203331";
const good = `00-${traceId}-${parentId}-01`;

for (const [what, text, isOne] of [
  ["the example of the specification", good, true],
  ["a later version with more behind", `cc-${traceId}-${parentId}-01-more`, true],
  ["version ff", `ff-${traceId}-${parentId}-01`, false],
  ["version 00 with more behind", `${good}-more`, false],
  ["a later version with more and no hyphen", `cc-${traceId}-${parentId}-01more`, false],
  ["upper case", good.toUpperCase(), false],
  ["a trace of zeros", `00-${"0".repeat(32)}-${parentId}-01`, false],
  ["a parent of zeros", `00-${traceId}-${"0".repeat(16)}-01`, false],
  ["a line break at the end", `${good}\n`, false],
  ["nothing", "", false],
  ["a megabyte", `cc-${traceId}-${parentId}-01-${"x".repeat(1_000_000)}`, false],
] as const) {
  test(`${what} is ${isOne ? "a" : "no"} traceparent`, () => {
    assert.deepEqual(readTraceParent(text), isOne ? { traceId, parentId, flags: "01" } : undefined);
  });
}

function request(params: string) {
  const frame = readFrame(Buffer.from(`{"jsonrpc":"2.0","id":1,"method":"tools/call"${params}}`));
  if (frame.kind !== "request") throw new Error("expected a request");
  return frame;
}

const noHeader = (): undefined => undefined;

test("_meta counts before the header, and a wrong one isn't made up for by the header", () => {
  const header = (name: string) =>
    name === "traceparent" ? good.replace(parentId, "1".repeat(16)) : undefined;
  const meta = (text: string) =>
    request(`,"params":{"name":"a","_meta":{"traceparent":${text},"tracestate":"a=b"}}`);
  assert.equal(traceParentOf(meta(`"${good}"`), header)?.parentId, parentId);
  assert.equal(traceParentOf(meta(`"${good}"`), header)?.state, "a=b");
  assert.equal(traceParentOf(meta("7"), header), undefined);
  assert.equal(traceParentOf(request(`,"params":{"name":"a"}`), header)?.parentId, "1".repeat(16));
  assert.equal(traceParentOf(undefined, noHeader), undefined);
});

test("a tracestate that is too long is left out", () => {
  const frame = request(`,"params":{"_meta":{"traceparent":"${good}","tracestate":"a=${"b".repeat(600)}"}}`);
  assert.deepEqual(traceParentOf(frame, noHeader), { traceId, parentId, flags: "01" });
});

const parent = { traceId, parentId: "2".repeat(16), flags: "01" };
const put = `"traceparent":"00-${traceId}-${parent.parentId}-01"`;

for (const [what, before, after] of [
  [
    "in place of the client's",
    `,"params":{"_meta":{ "x":1.0, "traceparent" :"${good}"} }`,
    `,"params":{"_meta":{ "x":1.0, "traceparent" :${put.slice(14)}} }`,
  ],
  ["beside what is in _meta", `,"params":{"_meta":{ "x":1.0}}`, `,"params":{"_meta":{${put}, "x":1.0}}`],
  ["into an empty _meta", `,"params":{"_meta":{ }}`, `,"params":{"_meta":{${put} }}`],
  ["with a _meta of its own", `,"params":{"n":-0}`, `,"params":{"_meta":{${put}},"n":-0}`],
] as const) {
  test(`a parent is written ${what}, and nothing else changes`, () => {
    const frame = request(before);
    const edit = parentEdit(frame, parent);
    assert.ok(edit);
    const text = Buffer.from(edited(frame.bytes, [edit])).toString();
    assert.equal(text, Buffer.from(request(after).bytes).toString());
  });
}

test("a parent is written nowhere where there are no params, or a _meta that is no object", () => {
  assert.equal(parentEdit(request(""), parent), undefined);
  assert.equal(parentEdit(request(`,"params":{"_meta":7}`), parent), undefined);
});
