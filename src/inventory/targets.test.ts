import assert from "node:assert/strict";
import { test } from "node:test";

import { defaultMaxTargets, parsePorts, parseTargets, whyNotAsked } from "./targets.ts";

const home = { isPublic: false, maxTargets: defaultMaxTargets };

test("targets are hosts, addresses, networks and URLs, each with its own ports or those of all", () => {
  const table: readonly (readonly [string, readonly string[]])[] = [
    ["files.example", ["files.example 1", "files.example 2"]],
    ["Files.Example:8080,8082-8083", ["files.example 8080", "files.example 8082", "files.example 8083"]],
    ["10.1.2.3", ["10.1.2.3 1", "10.1.2.3 2"]],
    ["10.1.2.254/31:9", ["10.1.2.254 9", "10.1.2.255 9"]],
    ["::1", ["::1 1", "::1 2"]],
    ["[fd00::a]:7", ["fd00::a 7"]],
    ["[fd00::a]/127:7", ["fd00::a 7", "fd00::b 7"]],
    ["fd00::/127", ["fd00:: 1", "fd00:: 2", "fd00::1 1", "fd00::1 2"]],
    ["https://h.example/a/mcp?token=x", ["h.example 443 /a/mcp"]],
    ["http://127.0.0.1:3000", ["127.0.0.1 3000 /"]],
  ];
  for (const [text, expected] of table) {
    const found = parseTargets([text, text], [1, 2], home).map(({ host, port, path }) =>
      `${host} ${port} ${path ?? ""}`.trim(),
    );
    assert.deepEqual(found, expected, text);
  }
});

test("a scan that is too big is refused before it begins, however big", () => {
  assert.equal(parseTargets(["10.0.0.0/16"], [443], home).length, 65_536);
  assert.throws(() => parseTargets(["10.0.0.0/16"], [80, 443], home), /131072 .* more than the 65536/);
  assert.throws(() => parseTargets(["fd00::/8"], [443], home), /more than the 65536/);
  assert.throws(() => parseTargets(["10.0.0.1", "10.0.0.0/16"], [1], home), /more than/);
});

test("public, multicast and link-local addresses aren't scanned: the public ones only if that is said", () => {
  for (const text of ["8.8.8.8", "192.0.0.0/8", "2001:db8::/127", "http://1.1.1.1/mcp", "172.32.0.1"]) {
    assert.throws(() => parseTargets([text], [80], { ...home, maxTargets: 2 ** 30 }), /--public/, text);
  }
  assert.equal(parseTargets(["8.8.8.8"], [80], { ...home, isPublic: true }).length, 1);
  const isPublic = { ...home, isPublic: true, maxTargets: 2 ** 32 };
  for (const text of [
    "224.0.0.1",
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "fe80::1",
    "255.255.255.255",
    "0.0.0.0",
  ])
    assert.throws(() => parseTargets([text], [80], isPublic), /isn't asked/, text);
  assert.throws(() => parseTargets(["0.0.0.0/0"], [80], isPublic), /isn't asked/);
  assert.match(whyNotAsked("169.254.169.254", isPublic) ?? "", /metadata/);
  assert.match(whyNotAsked("93.184.216.34", home) ?? "", /--public/);
  assert.equal(whyNotAsked("192.168.1.1", home), undefined);
});

test("what is no target says so", () => {
  for (const text of [
    "",
    "10.0.0.1/24",
    "10.0.0.256",
    "010.0.0.1",
    "0x7f.1",
    "a b",
    "h:0",
    "h:65536",
    "h:9-8",
    "h:",
    "[::1",
    "ftp://h/",
    "1::2::3",
  ])
    assert.throws(() => parseTargets([text], [80], home), { code: "bad_config" }, text);
  assert.throws(
    () => parseTargets(["https://me:secret@h.example/"], [80], home),
    (error: Error) => {
      assert.doesNotMatch(error.message, /secret/);
      return true;
    },
  );
  assert.deepEqual(parsePorts("80, 443,8000-8002,80"), [80, 443, 8000, 8001, 8002]);
});
