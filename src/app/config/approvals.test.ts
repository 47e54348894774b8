/** `approvals` in the config: what would hold calls for ever, or leak, is refused before it counts. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { parseConfig } from "../config.ts";

const hash = "A".repeat(43);
const people = `people: { alice: { token_hash: "${hash}", is: ["oauth:corp/user/alice"] } }`;

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
