import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { lookAlikes } from "./look-alike.ts";

const tools = (...names: readonly string[]) =>
  new Map(names.map((name) => [name, { contentHash: `of ${name}` }]));
const others = [
  { server: "files", tools: tools("read_file", "search", "get_user", "ab", "list-items", "Pay") },
];
const like = (name: string, contentHash = "another") =>
  lookAlikes({ name, contentHash }, others).map(({ server, tool, how }) => `${server} ${tool} ${how}`);

test("a name that is or looks like another server's is found, with how", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["read_file", "read_file same-name"],
    ["Read_File", "read_file case"],
    ["readFile", "read_file separators"],
    ["read-file", "read_file separators"],
    ["r\u0435\u0430d_file", "read_file homoglyphs"],
    ["read_fi1e", "read_file homoglyphs"],
    ["𝗋ead_file", "read_file homoglyphs"],
    ["read\u200B_file", "read_file homoglyphs"],
    ["\u0420ay", "Pay homoglyphs"],
    ["read_files", "read_file one-letter"],
    ["read_fle", "read_file one-letter"],
    ["read_tile", "read_file one-letter"],
    ["raed_file", "read_file one-letter"],
    ["serach", "search one-letter"],
  ];
  for (const [name, found] of cases) assert.deepEqual(like(name), [`files ${found}`], name);
});

test("the same declaration under the same name is the same tool", () => {
  assert.deepEqual(like("read_file", "of read_file"), ["files read_file same-tool"]);
});

test("short names, and names that differ by more, are others", () => {
  for (const name of ["ac", "write_file", "read_folder", "sea", "delete", "user"])
    assert.deepEqual(like(name), [], name);
});

test("the index finds what a comparison with each would find", () => {
  const name = fc.string({ unit: fc.constantFrom("a", "b", "c", "_"), minLength: 1, maxLength: 8 });
  fc.assert(
    fc.property(name, fc.uniqueArray(name, { maxLength: 6 }), (asked, names) => {
      const one = (each: string) =>
        lookAlikes({ name: asked, contentHash: "" }, [{ server: "s", tools: tools(each) }]);
      const together = lookAlikes({ name: asked, contentHash: "" }, [
        { server: "s", tools: tools(...names) },
      ]);
      const sort = (found: readonly { readonly tool: string }[]) => found.map(({ tool }) => tool).toSorted();
      assert.deepEqual(sort(together), sort(names.flatMap(one)));
      const isNear = (a: string, b: string) => edits(a, b) <= 1 && Math.min(a.length, b.length) >= 5;
      const bare = (text: string) => text.replaceAll("_", "");
      for (const each of names)
        if (isNear(bare(asked), bare(each))) assert.equal(one(each).length, 1, `${asked} ${each}`);
    }),
  );
});

/** Levenshtein's distance. */
function edits(a: string, b: string): number {
  if (a === "" || b === "") return a.length + b.length;
  const [restA, restB] = [a.slice(1), b.slice(1)];
  return a[0] === b[0]
    ? edits(restA, restB)
    : 1 + Math.min(edits(restA, restB), edits(a, restB), edits(restA, b));
}
