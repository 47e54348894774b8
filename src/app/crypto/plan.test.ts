/** What a change of profile does to whom, by table. */
import assert from "node:assert/strict";
import { test } from "node:test";

import {
  factsWith,
  held,
  nowUnixMs,
  overTls,
  root,
  server,
  sidecarLink,
  sidecars,
  web,
  webLink,
} from "../../../test/support/crypto-facts.ts";
import { narrowed, type Profile, profileOf, resolveProfile } from "../../crypto/suites/profiles.ts";
import type { CryptoFacts } from "./crypto-facts.ts";
import { doesBreak, planChange, type PlanRow, type Verdict } from "./plan.ts";

const hybrid = resolveProfile("hybrid");
const cnsa = resolveProfile("cnsa-2.0");
const minute = 60_000;
/** `hybrid` without its first group. */
const without = profileOf(
  narrowed(hybrid.document, ["SecP384r1MLKEM1024", "SecP256r1MLKEM768", "ML-DSA-65", "ML-DSA-87"]),
);

/** A client with a token that called just now. */
const lately = {
  caller: "oauth:corp/client/b",
  group: "X25519MLKEM768",
  isClassical: false,
  atUnixMs: nowUnixMs,
};

const withoutGateway = {
  gateway: { kind: "not running" },
  webListeners: [web],
} as const satisfies Partial<CryptoFacts>;

const delegation = { from: "spiffe://acme.test/agent/a", to: "spiffe://acme.test/agent/b" };

interface Case {
  readonly title: string;
  readonly facts: CryptoFacts;
  readonly from?: Profile;
  readonly to: Profile;
  readonly what: PlanRow["what"];
  readonly verdict: Verdict;
  readonly because: RegExp;
}

const cases: readonly Case[] = [
  {
    title: "a listener that loses groups says which",
    facts: factsWith({ live: { listeners: [sidecars] } }),
    to: cnsa,
    what: "listener",
    verdict: "renews",
    because: /^takes SecP384r1MLKEM1024; no longer X25519MLKEM768, SecP256r1MLKEM768$/,
  },
  {
    title: "a listener whose groups stay goes on",
    facts: factsWith({ live: { listeners: [sidecars] } }),
    to: hybrid,
    what: "listener",
    verdict: "goes on",
    because: /as before$/,
  },
  {
    title: "a sidecar whose group and identity stay goes on",
    facts: factsWith({ live: { listeners: [sidecars], links: [sidecarLink] } }),
    to: resolveProfile("transition"),
    what: "link",
    verdict: "goes on",
    because: /X25519MLKEM768 and ML-DSA-65/,
  },
  {
    title: "a sidecar whose group ends renews by itself",
    facts: factsWith({ live: { listeners: [sidecars], links: [sidecarLink] } }),
    to: without,
    what: "link",
    verdict: "renews",
    because: /^X25519MLKEM768 ends: .* SecP384r1MLKEM1024$/,
  },
  {
    title: "a sidecar whose group and identity end renews by itself",
    facts: factsWith({ live: { listeners: [sidecars], links: [sidecarLink] } }),
    to: cnsa,
    what: "link",
    verdict: "renews",
    because: /^X25519MLKEM768 and ML-DSA-65 end: .*ML-DSA-87/,
  },
  {
    title: "a client with tokens whose group ends may have another",
    facts: factsWith({ live: { listeners: [web], links: [webLink] } }),
    to: cnsa,
    what: "link",
    verdict: "may break",
    because: /whether it has SecP384r1MLKEM1024/,
  },
  {
    title: "a client with tokens whose group stays goes on",
    facts: factsWith({ live: { listeners: [web], links: [webLink] } }),
    to: hybrid,
    what: "link",
    verdict: "goes on",
    because: /X25519MLKEM768 is taken on/,
  },
  {
    title: "a classical client of a listener that no longer takes its group has nothing else",
    facts: factsWith({
      live: {
        listeners: [{ ...web, key_exchange: "hybrid-required" }],
        links: [{ ...webLink, group: "X25519", key_exchange: "classical" }],
      },
    }),
    to: without,
    what: "link",
    verdict: "breaks",
    because: /it came over X25519, so it has none of SecP384r1MLKEM1024, SecP256r1MLKEM768/,
  },
  {
    title: "a classical client may have a group that wasn't offered to it so far",
    facts: factsWith({
      live: {
        listeners: [{ ...web, key_exchange: "hybrid-required", groups: ["SecP384r1MLKEM1024", "X25519"] }],
        links: [{ ...webLink, group: "X25519", key_exchange: "classical" }],
      },
    }),
    from: cnsa,
    to: hybrid,
    what: "link",
    verdict: "may break",
    because: /whether it has X25519MLKEM768 or SecP256r1MLKEM768/,
  },
  {
    title: "a client that was seen lately and isn't there now is counted too",
    facts: factsWith({
      live: { listeners: [web] },
      stored: {
        callers: [lately],
      },
    }),
    to: cnsa,
    what: "caller",
    verdict: "may break",
    because: /last seen 2026-11-21T12:00:00.000Z$/,
  },
  {
    title: "a client that was seen lately is counted without a gateway too, by the config's listeners",
    facts: { ...factsWith({ stored: { callers: [lately] } }), ...withoutGateway },
    to: cnsa,
    what: "caller",
    verdict: "may break",
    because: /^it came over X25519MLKEM768; whether it has SecP384r1MLKEM1024/,
  },
  {
    title: "a client that was seen without ML-KEM has nothing left under a profile without classical groups",
    facts: {
      ...factsWith({ stored: { callers: [{ ...lately, group: "X25519", isClassical: true }] } }),
      ...withoutGateway,
    },
    from: resolveProfile("transition"),
    to: hybrid,
    what: "caller",
    verdict: "breaks",
    because: /^it came over X25519, so it has none of X25519MLKEM768/,
  },
  {
    title: "a gateway that runs and can't be asked may have anybody",
    facts: { ...factsWith(), gateway: { kind: "silent", why: "it doesn't answer" } },
    to: cnsa,
    what: "gateway",
    verdict: "may break",
    because: /^it doesn't answer; so whom/,
  },
  {
    title: "a stdio server goes on",
    facts: factsWith({ live: { servers: [server] } }),
    to: cnsa,
    what: "server",
    verdict: "goes on",
    because: /^stdio: no TLS/,
  },
  {
    title: "a server whose group is offered on goes on",
    facts: factsWith({ live: { servers: [overTls("profile", "SecP384r1MLKEM1024")] } }),
    to: cnsa,
    what: "server",
    verdict: "goes on",
    because: /^SecP384r1MLKEM1024 is offered on$/,
  },
  {
    title: "a server that was reached by a group the profile lacks may have another",
    facts: factsWith({ live: { servers: [overTls("profile", "X25519MLKEM768")] } }),
    to: cnsa,
    what: "server",
    verdict: "may break",
    because: /without one of SecP384r1MLKEM1024 it isn't reached any more$/,
  },
  {
    title: "a server without ML-KEM is reached while the profile has classical groups",
    facts: factsWith({ live: { servers: [overTls("profile and classical", "X25519")] } }),
    from: resolveProfile("transition"),
    to: resolveProfile("transition"),
    what: "server",
    verdict: "goes on",
    because: /^X25519 is offered on$/,
  },
  {
    title: "a server without ML-KEM isn't reached by a profile without classical groups",
    facts: factsWith({ live: { servers: [overTls("profile and classical", "X25519")] } }),
    from: resolveProfile("transition"),
    to: hybrid,
    what: "server",
    verdict: "may break",
    because: /^it was last reached by X25519; without one of X25519MLKEM768/,
  },
  {
    title: "an exposed server renews by itself",
    facts: factsWith({
      live: {
        servers: [overTls("profile", "X25519MLKEM768", { how: "peer", peer: "spiffe://acme.test/server/s" })],
      },
    }),
    to: cnsa,
    what: "server",
    verdict: "renews",
    because: /^spiffe:\/\/acme.test\/server\/s is told, renews with ML-DSA-87/,
  },
  {
    title: "an issuer's algorithm isn't the profile's affair",
    facts: factsWith({ live: { issuers: [{ name: "corp", issuer: "https://i.test", last_token: null }] } }),
    to: cnsa,
    what: "issuer",
    verdict: "goes on",
    because: /isn't the profile's to say$/,
  },
  {
    title: "a certificate of an algorithm that counts on goes on",
    facts: factsWith({ stored: { held: [{ ...held, keyAlgorithm: "ML-DSA-87" }] } }),
    to: cnsa,
    what: "certificate",
    verdict: "goes on",
    because: /ML-DSA-87 counts on/,
  },
  {
    title: "a holder that renews on time follows by itself",
    facts: factsWith({ stored: { held: [held] } }),
    to: cnsa,
    what: "certificate",
    verdict: "renews",
    because: /^ML-DSA-65; .* renews with ML-DSA-87$/,
  },
  {
    title: "a holder whose renewal is overdue may be away, and renews when it comes back",
    facts: factsWith({ stored: { held: [{ ...held, notAfterUnixMs: nowUnixMs + 20 * minute }] } }),
    to: cnsa,
    what: "certificate",
    verdict: "renews",
    because: /due for renewal at 2026-11-21T11:50:00.000Z/,
  },
  {
    title: "a classical identity goes on, whatever the profile names",
    facts: factsWith({
      stored: { held: [{ ...held, purpose: "classical client", keyAlgorithm: "Ed25519" }] },
    }),
    to: cnsa,
    what: "certificate",
    verdict: "goes on",
    because: /stay what this state folder began with$/,
  },
  {
    title: "a root gets a generation of the new algorithm beside it",
    facts: factsWith({ stored: { roots: [root] } }),
    to: cnsa,
    what: "root",
    verdict: "renews",
    because: /a generation of ML-DSA-87 is made beside it/,
  },
  {
    title: "a root whose purpose has one of the new algorithm already goes on",
    facts: factsWith({ stored: { roots: [{ ...root, suite: "ML-DSA-87" }] } }),
    to: cnsa,
    what: "root",
    verdict: "goes on",
    because: /ML-DSA-87, issuing/,
  },
  {
    title: "the new generation of a root that an authority outside signed isn't signed by it",
    facts: factsWith({ stored: { roots: [{ ...root, isOutside: true }] } }),
    to: cnsa,
    what: "root",
    verdict: "may break",
    because: /no authority outside has signed$/,
  },
  {
    title: "the log goes on while the profile asks for the keys it has",
    facts: factsWith(),
    to: without,
    what: "log",
    verdict: "goes on",
    because: /as before/,
  },
  {
    title: "the log's keys rotate with a profile that asks for others",
    facts: factsWith(),
    to: cnsa,
    what: "log",
    verdict: "renews",
    because: /; a new generation of keys takes over, ML-DSA-87, ML-DSA-44, SLH-DSA-SHA2-128s, and/,
  },
  {
    title: "a classical root goes on, whatever the profile names",
    facts: factsWith({ stored: { roots: [{ ...root, generation: undefined, suite: "Ed25519" }] } }),
    to: cnsa,
    what: "root",
    verdict: "goes on",
    because: /stay what this state folder began with$/,
  },
  {
    title: "a delegation that outlasts what is taken of the old profile ends",
    facts: factsWith({
      stored: { delegations: [{ ...delegation, notAfterUnixMs: nowUnixMs + 121 * minute }] },
    }),
    to: cnsa,
    what: "delegation",
    verdict: "breaks",
    because: /signed with ML-DSA-65 and would last until 2026-11-21T14:01/,
  },
  {
    title: "a delegation that ends before the old profile does goes on",
    facts: factsWith({
      stored: { delegations: [{ ...delegation, notAfterUnixMs: nowUnixMs + 119 * minute }] },
    }),
    to: cnsa,
    what: "delegation",
    verdict: "goes on",
    because: /until 2026-11-21T13:59/,
  },
  {
    title: "a delegation whose algorithm counts on goes on",
    facts: factsWith({
      stored: { delegations: [{ ...delegation, notAfterUnixMs: nowUnixMs + 600 * minute }] },
    }),
    to: without,
    what: "delegation",
    verdict: "goes on",
    because: /until 2026-11-21T22:00/,
  },
  {
    title: "whoever joins with a token that is out follows by itself",
    facts: factsWith({
      stored: {
        joinTokens: [{ spiffeId: held.spiffeId, purpose: "client", expiresUnixMs: nowUnixMs + minute }],
      },
    }),
    to: cnsa,
    what: "join token",
    verdict: "renews",
    because: /gets ML-DSA-65 first, and renews with ML-DSA-87$/,
  },
];

for (const { title, facts, from = hybrid, to, what, verdict, because } of cases) {
  test(title, () => {
    const rows = planChange(facts, from, to).rows.filter((row) => row.what === what);
    assert.deepEqual(
      rows.map((row) => row.verdict),
      [verdict],
      JSON.stringify(rows),
    );
    assert.match(rows[0]?.because ?? "", because);
    const needsRemedy = verdict === "breaks" || verdict === "may break";
    assert.equal(rows[0]?.remedy !== undefined, needsRemedy, "what breaks says what to do");
  });
}

test("a caller that has a link, and one with a sidecar, aren't told of twice", () => {
  const callers = [webLink, sidecarLink].map(({ callers: [caller = ""], group }) => ({
    caller,
    group,
    isClassical: false,
    atUnixMs: nowUnixMs,
  }));
  const facts = factsWith({ live: { listeners: [web], links: [webLink] }, stored: { callers } });
  const rows = planChange(facts, hybrid, cnsa).rows;
  assert.deepEqual(
    rows.filter(({ what }) => what === "caller"),
    [],
  );
  assert.equal(rows.filter(({ what }) => what === "link").length, 1);
});

test("of a holder's certificates the newest is judged", () => {
  const renewedTo = { ...held, keyAlgorithm: "ML-DSA-87", notAfterUnixMs: held.notAfterUnixMs + minute };
  const facts = factsWith({ stored: { held: [held, renewedTo] } });
  const rows = planChange(facts, hybrid, cnsa).rows.filter(({ what }) => what === "certificate");
  assert.deepEqual(
    rows.map(({ verdict }) => verdict),
    ["goes on"],
  );
});

test("the profile in force changes nothing and breaks nothing", () => {
  const facts = factsWith({
    live: {
      listeners: [sidecars, { ...web, key_exchange: "hybrid-required", groups: sidecars.groups }],
      links: [sidecarLink, webLink],
      servers: [server],
    },
    stored: { held: [held], roots: [root] },
  });
  const plan = planChange(facts, hybrid, hybrid);
  assert.deepEqual(plan.changes, []);
  assert.deepEqual([...new Set(plan.rows.map(({ verdict }) => verdict))], ["goes on"]);
  assert.equal(doesBreak(plan), false);
});

test("a profile with an algorithm that is forbidden by then can't be applied, and says which and who says so", () => {
  const then = { ...factsWith(), nowUnixMs: Date.parse("2036-01-02") };
  const plan = planChange(then, hybrid, resolveProfile("transition"));
  assert.equal(plan.is_possible, false);
  assert.equal(doesBreak(plan), true);
  assert.deepEqual(
    plan.rows.slice(0, 2).map(({ what, because }) => [what, because]),
    ["X25519", "P-256"].map((id) => [
      "profile",
      `it can't be applied: ${id} is forbidden since 2036-01-01 (NIST IR 8547)`,
    ]),
  );
  assert.equal(planChange(factsWith(), hybrid, resolveProfile("transition")).is_possible, true);
});

test("without an overlap a delegation ends at once", () => {
  const delegations = [{ ...delegation, notAfterUnixMs: nowUnixMs + minute }];
  const [row] = planChange(factsWith({ stored: { delegations } }), hybrid, cnsa, 0).rows;
  assert.deepEqual([row?.what, row?.verdict], ["delegation", "breaks"]);
});

test("changes name what goes and what comes", () => {
  assert.deepEqual(planChange(factsWith(), hybrid, cnsa).changes, [
    { what: "groups", gone: ["X25519MLKEM768", "SecP256r1MLKEM768"], added: [] },
    { what: "identities", gone: ["ML-DSA-65"], added: [] },
    { what: "ciphers", gone: ["TLS_CHACHA20_POLY1305_SHA256"], added: [] },
    { what: "log", gone: ["Ed25519", "ML-DSA-65"], added: ["ML-DSA-87"] },
    { what: "hash", gone: ["SHA-256"], added: ["SHA-384"] },
  ]);
});

test("what of the config rules a profile out is named, before its name is written there", () => {
  const facts = { ...factsWith(), preferring: ["listen (https://mcp.acme.test)", "servers.old"] };
  assert.deepEqual(planChange(facts, resolveProfile("transition"), hybrid).config_conflicts, [
    "listen (https://mcp.acme.test)",
    "servers.old",
  ]);
  assert.deepEqual(planChange(facts, hybrid, resolveProfile("transition")).config_conflicts, []);
});
