/** The config file: strict, with every complaint at its place. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../kernel/refusal.ts";
import { type Config, parseConfig } from "./config.ts";

const parse = (yaml: string): Config => parseConfig(yaml, "/etc/latticegate/latticegate.yaml");
const allow = 'policies: [{ name: a, callers: ["*"], tools: ["*"], effect: allow, because: x }]';

test("an empty file is a config: loopback, hybrid, nothing behind it, nobody let in", () => {
  const config = parse("");
  assert.equal(config.listen, "127.0.0.1:8443");
  assert.equal(config.state, "/etc/latticegate/.latticegate");
  assert.deepEqual([config.servers, config.policies, config.notYet], [{}, [], []]);
});

test("units are read once, into numbers", () => {
  const { limits } = parse("limits: { request: 1MiB, answer_timeout: 90s }");
  assert.deepEqual([limits.request, limits.answer_timeout], [1_048_576, 90_000]);
});

const wrong: readonly (readonly [string, string, RegExp])[] = [
  ["a key nobody knows", "lisen: x", /lisen/],
  ["a key nobody knows, further in", "limits: { reqest: 1MiB }", /limits.*reqest/s],
  ["a unit nobody knows", "limits: { request: 8MB }", /limits\.request/],
  ["a number without a unit", "limits: { drain: 10 }", /limits\.drain/],
  ["an address without a port", "listen: localhost", /listen.*host:port/s],
  ["a port that is none", "listen: localhost:99999", /65535/],
  ["a key twice", "listen: a:1\nlisten: b:1", /unique|duplicate/i],
  ["an alias", "a: &x [1]\nb: *x", /aliases/],
  ["YAML that is none", "servers: {", /latticegate\.yaml/],
  ["a list", "- a", /top/],
  ["a server's name that is no name", 'servers: { "../x": { url: "http://a/" } }', /servers/],
  ["a server that is a file", 'servers: { x: { url: "file:///etc/passwd" } }', /servers\.x/],
  [
    "a secret as a value",
    'servers: { x: { url: "http://a/", headers: { authorization: "Bearer t" } } }',
    /headers/,
  ],
  ["an effect nobody knows", allow.replace("effect: allow", "effect: alow"), /policies\.0\.effect/],
  [
    "two rules of one name",
    allow.replace("}]", '}, { name: a, callers: ["*"], tools: ["*"], effect: deny, because: x }]'),
    /Two policies/,
  ],
  [
    "an algorithm nobody knows",
    'p2p_connectivity: { allowed_algos: ["ML-KEM-768", "ML-DSA-65", "RSA-2048"] }',
    /RSA-2048/,
  ],
  ["post-quantum links turned off", "p2p_connectivity: { enforce_pqc: false }", /enforce_pqc/],
  [
    "downgrades let through",
    "threat_detection: { block_downgrade_attempts: false }",
    /block_downgrade_attempts/,
  ],
];
for (const [what, yaml, expected] of wrong) {
  test(`${what} is refused at its place`, () => {
    assert.throws(
      () => parse(yaml),
      (error: unknown) => {
        assert.ok(error instanceof Refusal, String(error));
        assert.equal(error.code, "bad_config");
        assert.match(error.message, expected);
        return true;
      },
    );
  });
}

const notYet: readonly (readonly [string, string])[] = [
  ["web certificates with tokens", "listen: { address: 127.0.0.1:1, authentication: web-certificate }"],
  [
    "a listener that takes classical clients",
    "listen: { address: 127.0.0.1:1, key_exchange: hybrid-preferred }",
  ],
  ["another profile", "profile: cnsa-2.0"],
  ["a condition in a rule", allow.replace("effect", 'when: "true", effect')],
];
for (const [what, yaml] of notYet) {
  test(`${what}: not yet, and said so`, () => {
    assert.throws(
      () => parse(yaml),
      (error: unknown) => error instanceof Refusal && error.code === "not_yet",
    );
  });
}

test("a file that isn't there is named", () => {
  assert.throws(() => parse("policies: ./nowhere.yaml"), /\/etc\/latticegate\/nowhere\.yaml can't be read/);
});
