import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { parseAddress } from "../../expr/network.ts";
import {
  type Destination,
  destinationMatcher,
  destinationText,
  isNamedBy,
  readDestination,
} from "./destination.ts";
import { isSpecial } from "./special-addresses.ts";

function at(text: string): Destination {
  const read = readDestination(text);
  assert.ok(read.kind === "destination", text);
  return read;
}

const good: readonly (readonly [asked: string, is: string])[] = [
  ["api.example.com:443", "api.example.com:443"],
  ["API.Example.COM.:443", "api.example.com:443"],
  ["10.1.2.3:80", "10.1.2.3:80"],
  ["[2001:DB8::1]:8443", "[2001:db8::1]:8443"],
  ["_dmarc.a-b.example:1", "_dmarc.a-b.example:1"],
];
for (const [asked, is] of good)
  test(`a destination is read: ${asked}`, () => assert.equal(destinationText(at(asked)), is));

const bad = [
  "",
  ":443",
  "example.com",
  "example.com:0",
  "example.com:65536",
  "example.com:443/path",
  "user@example.com:443",
  "exa mple.com:443",
  "127.1:80",
  "0x7f000001:80",
  "2130706433:80",
  "0177.0.0.1:80",
  "a..b:80",
  "[::1:80",
  "::1:80",
  "[fe80::1%eth0]:80",
  `${"a".repeat(64)}.com:80`,
  `${"a.".repeat(130)}com:80`,
  "exämple.com:80",
];
for (const asked of bad)
  test(`no destination: ${JSON.stringify(asked).slice(0, 40)}`, () =>
    assert.equal(readDestination(asked).kind, "wrong"));

test("whatever is asked for is read or refused, and what is read reads the same again", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 300 }), (text) => {
      const read = readDestination(text, 80);
      if (read.kind === "wrong") return;
      assert.equal(destinationText(at(destinationText(read))), destinationText(read));
    }),
  );
});

const patterns: readonly (readonly [pattern: string, matches: readonly string[], not: readonly string[]])[] =
  [
    [
      "api.example.com",
      ["api.example.com:1", "api.example.com:443"],
      ["example.com:443", "x.api.example.com:443"],
    ],
    ["api.example.com:443", ["api.example.com:443"], ["api.example.com:80"]],
    [
      "*.example.com:443",
      ["a.example.com:443"],
      ["example.com:443", "a.b.example.com:443", "aexample.com:443"],
    ],
    ["**.example.com", ["a.example.com:1", "a.b.example.com:1"], ["example.com:1", "badexample.com:1"]],
    ["api.*.example.com", ["api.eu.example.com:1"], ["api.example.com:1", "api.a.b.example.com:1"]],
    ["*", ["a.b:1", "10.0.0.1:1", "[::1]:1"], []],
    ["*:443", ["a.b:443"], ["a.b:80"]],
    ["**", ["a:1", "a.b:1"], ["10.0.0.1:80"]],
    ["[2001:db8::1]:443", ["[2001:db8:0::1]:443"], ["[2001:db8::2]:443"]],
    ["127.0.0.1", ["127.0.0.1:80", "[::ffff:127.0.0.1]:80"], ["127.0.0.2:80"]],
  ];
for (const [pattern, matches, not] of patterns) {
  test(`the pattern ${pattern} matches what it says`, () => {
    const isMatch = destinationMatcher(pattern);
    assert.ok(isMatch);
    for (const each of matches) assert.ok(isMatch(at(each)), each);
    for (const each of not) assert.ok(!isMatch(at(each)), each);
  });
}

for (const pattern of [
  "",
  "a*.example.com",
  "a.**.com",
  "exa mple",
  "a.com:0",
  "a.com:99999",
  "http://a.com",
  "*.0.0.1",
])
  test(`no pattern: "${pattern}"`, () => assert.equal(destinationMatcher(pattern), undefined));

test("only a pattern without stars in its host names a host", () => {
  assert.ok(isNamedBy("127.0.0.1:80", at("127.0.0.1:80")));
  assert.ok(isNamedBy("127.0.0.1:*", at("127.0.0.1:80")));
  assert.ok(!isNamedBy("*:80", at("127.0.0.1:80")));
  assert.ok(!isNamedBy("127.0.0.1:81", at("127.0.0.1:80")));
});

const special = [
  "0.0.0.0",
  "10.9.8.7",
  "100.100.100.200",
  "127.8.9.1",
  "169.254.169.254",
  "172.31.0.1",
  "192.168.1.1",
  "168.63.129.16",
  "224.0.0.251",
  "255.255.255.255",
  "::1",
  "::",
  "fe80::1",
  "fd00:ec2::254",
  "ff02::1",
  "::ffff:10.0.0.1",
  "64:ff9b::a00:1",
  "2002:a00:1::1",
  "2001:db8::1",
];
for (const text of special) {
  test(`${text} is no address of somebody else's on the internet`, () => {
    const address = parseAddress(text);
    assert.ok(address !== undefined && isSpecial(address));
  });
}
for (const text of ["1.1.1.1", "172.32.0.1", "100.128.0.1", "169.253.1.1", "2606:4700::1111", "2a00::1"]) {
  test(`${text} is one`, () => {
    const address = parseAddress(text);
    assert.ok(address !== undefined && !isSpecial(address));
  });
}
