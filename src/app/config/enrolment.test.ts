/** `enrolment` in the config: entries that can't be carried out safely are refused when the file is read. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { parseConfig } from "../config.ts";

const issuers = `
trust_domain: acme.test
issuers:
  cluster: { issuer: "https://kubernetes.default.svc" }
  github: { issuer: "https://token.actions.githubusercontent.com" }
  gitlab: { issuer: "https://gitlab.com" }
  enterprise: { issuer: "https://token.actions.githubusercontent.com/acme" }
`;
const file = "/nowhere/latticegate.yaml";

const byToken = (change: string): string =>
  `${issuers}enrolment: [{ name: x, token: { issuer: cluster }, match: { sub: "a:{sa}" }, identity: "agent/{sa}", ${change} }]`;
const of = (issuer: string, match: string): string =>
  `${issuers}enrolment: [{ name: x, token: { issuer: ${issuer} }, match: ${match}, identity: agent/x }]`;

test("an entry says who may enrol, as whom, and for how long that counts", () => {
  const { enrolment } = parseConfig(byToken("renewable_for: 12h"), file);
  const [entry] = enrolment;
  assert.ok(entry !== undefined && "token" in entry);
  assert.equal(entry.renewable_for, 12 * 3_600_000);
  assert.equal(entry.token.max_lifetime, 2 * 3_600_000);
  const svid = `enrolment: [{ name: x, svid: { bundle: b.pem, trust_domain: prod.acme.test }, match: { spiffe_id: "spiffe://prod.acme.test/{sa}" }, identity: "agent/{sa}" }]`;
  assert.equal(parseConfig(svid, file).enrolment[0]?.renewable_for, 24 * 3_600_000);
});

for (const [what, text, reason] of [
  ["an issuer nobody configured", of("other", "{ sub: x }"), /there is no "other" under issuers/],
  ["no claim at all", of("cluster", "{}"), /one claim at least/],
  [
    "an identity that isn't named by a claim",
    byToken("").replace("agent/{sa}", "agent/{other}"),
    /nothing under match/,
  ],
  ["the gateway's identity", byToken("").replace("agent/{sa}", "gateway"), /must begin with/],
  ["a part that two claims name", of("cluster", '{ sub: "{a}", ref: "{a}" }'), /named by two claims/],
  ["an unreadable pattern", of("cluster", '{ sub: "{a}{b}" }'), /in two ways/],
  ["an audience outside this trust domain", audience("spiffe://acme.test.evil/gateway"), /audience must be/],
  ["an audience that is an URL", audience("https://acme.test"), /expected a name of this gateway/],
  ["a life without end", byToken("renewable_for: 30d"), /at most 7d/],
  ["both proofs", byToken("svid: { bundle: b, trust_domain: x }"), /svid|spiffe_id|nrecognized/],
  ["two entries of one name", byToken("").replace(/\[(.*)\]/, "[$1, $1]"), /two entries are called "x"/],
  ["a member nobody knows", byToken("clams: {}"), /clams/],
] as const) {
  test(`enrolment with ${what} is refused`, () =>
    assert.throws(() => parseConfig(text, file), because(reason)));
}

for (const [issuer, match, isFine] of [
  ["github", '{ ref: "refs/heads/main" }', false],
  ["github", '{ repository: "*" }', false],
  ["github", '{ repository: "{owner}/x" }', false],
  ["github", '{ repository: "ac*/x" }', false],
  ["github", '{ sub: "repo:*" }', false],
  ["github", '{ sub: "repo:ac*/x:*" }', false],
  ["github", '{ repository_owner: "*" }', false],
  ["github", '{ repository: "acme/{repository}" }', true],
  ["github", "{ repository_owner: acme }", true],
  ["github", '{ sub: "repo:acme/deploy:*" }', true],
  ["github", '{ repository_id: "74" }', true],
  ["gitlab", "{ ref: main }", false],
  ["gitlab", '{ project_path: "*/x" }', false],
  ["gitlab", '{ namespace_path: "acme*" }', false],
  ["gitlab", '{ project_path: "acme/{project}" }', true],
  ["gitlab", '{ namespace_path: "acme/tools" }', true],
  ["enterprise", '{ ref: "refs/heads/main" }', true],
] as const) {
  test(`of ${issuer}, ${match} ${isFine ? "says whose tokens count" : "would let anybody in, and is refused"}`, () => {
    const parse = (): unknown => parseConfig(of(issuer, match), file);
    if (isFine) parse();
    else assert.throws(parse, because(/makes tokens for anybody/));
  });
}

function audience(text: string): string {
  return byToken("").replace("issuer: cluster }", `issuer: cluster, audience: "${text}" }`);
}

function because(reason: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.code === "bad_config" && reason.test(error.message);
}
