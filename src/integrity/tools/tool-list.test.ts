import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../../kernel/bytes.ts";
import {
  maxDeclarationBytes,
  maxToolsInList,
  readDeclaration,
  readToolList,
  withTools,
} from "./tool-list.ts";

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const answer = (tools: string, more = "") =>
  utf8(`{"jsonrpc":"2.0","id":1,"result":{"tools":[${tools}]${more}}}`);

function whyUnreadable(tool: string): string | undefined {
  const list = readToolList(answer(tool));
  assert.equal(list.kind, "list");
  const [first] = list.kind === "list" ? list.tools : [];
  return first?.kind === "unreadable" ? first.why : undefined;
}

test("tools are read with their text in one line, and the cursor is found", () => {
  const odd = '{ "name" : "a\\"b",\n\t"description":"two  spaces\\\\" , "n":[1.0, -0] }';
  const list = readToolList(answer(`${odd},{"name":"c"}`, ',"nextCursor":""'));
  assert.equal(list.kind, "list");
  if (list.kind !== "list") return;
  assert.deepEqual(
    list.tools.map((tool) => tool.kind === "tool" && [tool.declaration.name, tool.declaration.text]),
    [
      ['a"b', '{"name":"a\\"b","description":"two  spaces\\\\","n":[1.0,-0]}'],
      ["c", '{"name":"c"}'],
    ],
  );
  assert.equal(list.nextCursor, "");
});

test("what is no list of tools is none", () => {
  for (const json of [
    '{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"tools"}}',
    '{"result":{}}',
    '{"result":{"tools":{}}}',
    '{"result":[]}',
    "[]",
    '{"params":{"tools":[]}}',
  ])
    assert.equal(readToolList(utf8(json)).kind, "no-list", json);
});

test("a list that another reader might find elsewhere is unreadable", () => {
  for (const json of [
    '{"result":{"tools":[]},"result":{"tools":[{"name":"x"}]}}',
    '{"result":{"tools":[],"tools":[{"name":"x"}]}}',
    '{"result":{"tools":[],"Tools":[{"name":"x"}]}}',
    '{"result":{"tools":[]},"ReſulT":{"tools":[{"name":"x"}]}}',
    '{"result":{"tools":[],"nextCursor":"a","nextcursor":"b"}}',
    '{"result":{"tools":[]}',
    `{"result":{"tools":[${Array.from({ length: maxToolsInList + 1 }, (_, i) => `{"name":"${i}"}`).join()}]}}`,
  ])
    assert.equal(readToolList(utf8(json)).kind, "unreadable", json.slice(0, 80));
  assert.equal(readToolList(new Uint8Array([0xff])).kind, "unreadable");
});

test("a tool that can't be read in one way only is unreadable by itself", () => {
  const cases: readonly (readonly [string, string])[] = [
    ['{"title":"no name"}', "no_name"],
    ['{"name":7}', "no_name"],
    ["7", "no_name"],
    [`{"name":"${"n".repeat(1025)}"}`, "no_name"],
    ['{"name":"a","description":"x","description":"y"}', "no_canonical_form"],
    ['{"name":"a","description":"x","Description":"y"}', "no_canonical_form"],
    ['{"name":"a","description":"\\ud800"}', "no_canonical_form"],
    [`{"name":"a","inputSchema":${"[".repeat(65)}${"]".repeat(65)}}`, "no_canonical_form"],
    [`{"name":"a","description":"${"d".repeat(maxDeclarationBytes)}"}`, "too_large"],
    ['{"name":"a","contentHash":"sha256-no"}', "false_hash"],
    ['{"name":"a"},{"name":"a"}', "same_name_twice"],
    ['{"name":"a"},{"name":"a","description":1,"description":2}', "same_name_twice"],
  ];
  for (const [tool, why] of cases) assert.equal(whyUnreadable(tool), why, tool.slice(0, 80));
  assert.equal(whyUnreadable('{"name":"a","description":"x"}'), undefined);
});

test("a true contentHash is taken", () => {
  const plain = readDeclaration(utf8('{"name":"a"}'));
  assert.equal(whyUnreadable(`{"contentHash":"${plain?.contentHash ?? ""}","name":"a"}`), undefined);
});

test("a declaration alone is one, and only one", () => {
  assert.equal(readDeclaration(utf8(' {"name":"a"} '))?.text, '{"name":"a"}');
  for (const json of [
    "",
    "7",
    '{"name":"a"},{"name":"b"}',
    '{"name":"a"}]}},{"x":[',
    '{"name":"a"}],"x":[',
    "[]",
  ]) {
    assert.equal(readDeclaration(utf8(json)), undefined, json);
  }
});

test("a list is changed where it has to be, and every other byte stays", () => {
  const bytes = answer(' {"name":"a"} ,\n{"name":"b"}, {"name":"c"} ', ' , "x" : [1.0]');
  const list = readToolList(bytes);
  if (list.kind !== "list") assert.fail(list.kind);
  const show = (looks: Readonly<Record<string, "hidden" | { readonly text: string }>>): string =>
    text(
      withTools(bytes, list.tools, (tool) =>
        tool.kind === "tool" ? (looks[tool.declaration.name] ?? "as-it-is") : "hidden",
      ),
    );
  assert.equal(
    withTools(bytes, list.tools, () => "as-it-is"),
    bytes,
  );
  assert.equal(
    show({ b: { text: "B" } }),
    '{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"a"},B,{"name":"c"} ] , "x" : [1.0]}}',
  );
  assert.equal(
    show({ a: "hidden", c: "hidden" }),
    '{"jsonrpc":"2.0","id":1,"result":{"tools":[ {"name":"b"} ] , "x" : [1.0]}}',
  );
  assert.equal(
    show({ a: "hidden", b: "hidden", c: "hidden" }),
    '{"jsonrpc":"2.0","id":1,"result":{"tools":[  ] , "x" : [1.0]}}',
  );
});
