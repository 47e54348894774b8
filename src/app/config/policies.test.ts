/** `policies.bundle` in the config: what it leads to, and what is refused. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type Config, parseConfig } from "../config.ts";
import { placeText } from "./policies.ts";

const fingerprint = "WaNsOOOSxTvF7CiFO4pbnyEOqwF48AIcLPPurdn_0Ts";
const parse = (from: string, more = "", top = ""): Config =>
  parseConfig(
    `${top}\npolicies: { bundle: { from: ${from}, publishers: [${fingerprint}]${more} } }`,
    "/x/latticegate.yaml",
  );

test("a bundle comes from a file, a file in a checkout, or a URL, whose query isn't said", () => {
  const { policies, policyBundle } = parse("./acme.bundle");
  assert.deepEqual([policies, policyBundle?.place], [[], { kind: "file", file: "/x/acme.bundle" }]);
  assert.deepEqual([policyBundle?.everyMs, policyBundle?.keyExchange], [60_000, "hybrid-required"]);
  const git = parse("{ git: ../rules, file: a/acme.bundle }").policyBundle?.place;
  assert.deepEqual(git, { kind: "git", checkout: "/rules", file: "/rules/a/acme.bundle" });
  const url = parse(
    '"https://rules.test/acme.bundle?sig=secret"',
    ", every: 5m, token: { file: t }",
  ).policyBundle;
  assert.deepEqual([url?.everyMs, url?.token], [300_000, { file: "/x/t" }]);
  assert.equal(url && placeText(url.place), "https://rules.test/acme.bundle");
});

for (const [what, config, reason] of [
  [
    "no publisher",
    () => parseConfig("policies: { bundle: { from: ./x, publishers: [] } }", "/x/y"),
    /publishers/,
  ],
  ["a fingerprint that is none", () => parse("./x", ", publishers: [abc]"), /Map keys must be unique/],
  ["plain http", () => parse('"http://rules.test/x"'), /expected an https URL/],
  ["a user name in the URL", () => parse('"https://me:pw@rules.test/x"'), /expected an https URL/],
  ["a file out of the checkout", () => parse("{ git: ./a, file: ../b }"), /a path within the checkout/],
  ["a token for a file", () => parse("./x", ", token: { env: T }"), /read without a token/],
  ["asking all the time", () => parse("./x", ", every: 10ms"), /expected "1s" to "24h"/],
  [
    "a classical link where the profile has none",
    () => parse('"https://rules.test/x"', ", key_exchange: hybrid-preferred"),
    /policies\.bundle\.key_exchange: hybrid-preferred isn't possible/,
  ],
  ["a member nobody knows", () => parse("./x", ", publisher: a"), /publisher/],
] as const) {
  test(`${what} is refused`, () => assert.throws(config, reason));
}

test("a classical link may be preferred under transition", () => {
  const { policyBundle } = parse(
    '"https://rules.test/x"',
    ", key_exchange: hybrid-preferred",
    "profile: transition",
  );
  assert.equal(policyBundle?.keyExchange, "hybrid-preferred");
});
