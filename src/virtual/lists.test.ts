import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../kernel/refusal.ts";
import { utf8 } from "../kernel/bytes.ts";
import { type Item, isListMethod, readListPage, shownItem, writeList } from "./lists.ts";
import { makeNames, marks } from "./names.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const page = (result: string) =>
  readListPage("tools/list", utf8(`{"jsonrpc":"2.0","id":1,"result":${result}}`));

test("items keep the bytes they came in, in their order, and the cursor is found", () => {
  const odd = '{ "inputSchema":{"n":1.0,"new":[-0]},\n"name":"caf\\u00e9" , "x":null}';
  const { items, nextCursor } = page(`{"tools":[${odd},{"name":"b"}],"nextCursor":""}`);
  assert.deepEqual(
    items.map(({ key }) => key),
    ["café", "b"],
  );
  assert.equal(text(items[0]?.bytes ?? utf8("")), odd);
  assert.equal(nextCursor, "");
});

test("what has no name, and what is no list, is nothing", () => {
  assert.deepEqual(page('{"tools":[{"title":"x"},7,null,{"name":1}]}').items, []);
  assert.deepEqual(page('{"tools":{}}').items, []);
  assert.deepEqual(page("{}").items, []);
});

test("a list that two readers could read in two ways is refused", () => {
  assert.throws(() => page('{"tools":[{"name":"a","name":"b"}]}'), Refusal);
  assert.throws(() => page('{"tools":[{"name":"a","Name":"b"}]}'), Refusal);
});

test("only a name that clashes is written anew, with the page the tool is shown on", () => {
  const names = makeNames(
    new Map([
      ["a", ["go", "own"]],
      ["b", ["go"]],
    ]),
    marks.name,
  );
  const uris = makeNames(
    new Map([
      ["a", ["ui://p"]],
      ["b", ["ui://p"]],
    ]),
    marks.uri,
  );
  const show = (item: Item): string => text(shownItem("tools/list", item, { member: "a", names, uris }));
  const [go, own] = page(
    '{"tools":[{"a":1.0,"name" : "go","_meta":{"ui":{"resourceUri":"ui://p","x":1},"ui/resourceUri":"ui://p"}},{"name":"own","z":-0}]}',
  ).items;
  assert.ok(go !== undefined && own !== undefined);
  assert.equal(
    show(go),
    '{"a":1.0,"name" : "a_go","_meta":{"ui":{"resourceUri":"a+ui://p","x":1},"ui/resourceUri":"a+ui://p"}}',
  );
  assert.equal(show(own), '{"name":"own","z":-0}');
});

test("a joined list is one strict message, whatever there is in it", () => {
  const items = [utf8('{"name":"a"}'), utf8('{"name":"b"}')];
  assert.equal(
    text(writeList("tools/list", items, { id: "1", more: { ttlMs: 0 } })),
    '{"jsonrpc":"2.0","id":"1","result":{"tools":[{"name":"a"},{"name":"b"}],"ttlMs":0}}',
  );
  assert.equal(
    text(writeList("resources/templates/list", [], { id: 1, more: {} })),
    '{"jsonrpc":"2.0","id":1,"result":{"resourceTemplates":[]}}',
  );
});

test("only MCP's lists are lists", () => {
  assert.ok(isListMethod("tools/list"));
  for (const method of ["toString", "tasks/list", "__proto__"]) assert.ok(!isListMethod(method), method);
});
