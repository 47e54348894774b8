/** `approvals` in the config: what would hold calls for ever, or leak, is refused before it counts. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { parseConfig } from "../config.ts";

const hash = "A".repeat(43);
const people = `people: { alice: { token_hash: "${hash}", is: ["oauth:corp/user/alice"] } }`;

const other = "B".repeat(43);
const is = (who: string, name: string): string =>
  `people: { ${who}: { token_hash: "${hash}", is: ["${name}"] } }`;

function config(approvals: string, approval: string): string {
  return `approvals: { ${approvals} }
servers: { bank: { url: "http://127.0.0.1:1/mcp" } }
policies:
  - { name: wait, callers: ["*"], tools: ["bank/*"], effect: hold, because: Money., approval: ${approval} }
`;
}

const fine: readonly (readonly [string, string, string])[] = [
  ["one operator", "", "{}"],
  ["an operator and a person", people, "{ approvers: 2 }"],
  ["a person by its own name", people, "{ from: ['person:alice'] }"],
  ["a person by a name it calls under", people, "{ from: ['oauth:corp/user/*'] }"],
];
for (const [what, approvals, approval] of fine) {
  test(`a rule may ask ${what}`, () => {
    assert.equal(parseConfig(config(approvals, approval), "/x/latticegate.yaml").policies.length, 1);
  });
}

const refused: readonly (readonly [string, string, string, RegExp])[] = [
  [
    "two operators, who count as one",
    "",
    "{ approvers: 2 }",
    /takes 2 different people to approve, and only 1 may/,
  ],
  ["somebody who isn't there", people, "{ from: ['person:carol'] }", /person:carol/],
  ["one person twice", people, "{ approvers: 2, from: ['person:*', 'oauth:*'] }", /only 1 may/],
  [
    "a webhook without TLS",
    'webhook: { url: "http://chat.test/" }',
    "{}",
    /webhook\.url: expected an https URL/,
  ],
  ["a link to no request", 'webhook: { url: "https://c.test/", link: "https://c.test/" }', "{}", /\{id\}/],
  [
    "a pattern for a name that somebody calls under",
    is("alice", "spiffe://a.test/agent/*"),
    "{}",
    /without \*/,
  ],
  ["somebody who is the operator", is("alice", "operator"), "{}", /own name/],
  ["somebody who is another person", is("alice", "person:bob"), "{}", /own name/],
  [
    "two people with one token",
    `people: { alice: { token_hash: "${hash}" }, bob: { token_hash: "${hash}" } }`,
    "{}",
    /two people have one token/,
  ],
  [
    "two people who are one caller",
    `people: { alice: { token_hash: "${hash}", is: ["oauth:a/user/u"] }, bob: { token_hash: "${other}", is: ["oauth:a/user/u"] } }`,
    "{}",
    /two people are the same caller/,
  ],
  ["a token instead of its hash", 'people: { alice: { token_hash: "secret" } }', "{}", /approvals token/],
];
for (const [what, approvals, approval, why] of refused) {
  test(`${what} is refused with the config, which says why`, () => {
    assert.throws(
      () => parseConfig(config(approvals, approval), "/x/latticegate.yaml"),
      (error) => error instanceof Refusal && error.code === "bad_config" && why.test(error.message),
    );
  });
}
