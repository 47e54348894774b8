/** `crypto status`, `plan` and `profiles` as a person reads them, line by line. */
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
} from "../../test/support/crypto-facts.ts";
import { parseConfig } from "../app/config.ts";
import type { CryptoFacts } from "../app/crypto/crypto-facts.ts";
import { planChange } from "../app/crypto/plan.ts";
import { statusDocument } from "../app/crypto/status-document.ts";
import { profileRows, suiteRows } from "../app/crypto/suite-rows.ts";
import { resolveProfile } from "../crypto/suites/profiles.ts";
import { planText } from "./crypto-plan.ts";
import { profilesText, suitesText } from "./crypto-profiles.ts";
import { statusText } from "./crypto-status.ts";

const facts = factsWith({
  live: {
    listeners: [sidecars, web],
    links: [
      sidecarLink,
      { ...sidecarLink, remote: "198.51.100.9:6000" },
      webLink,
      {
        ...webLink,
        remote: "198.51.100.3:5000",
        group: "X25519",
        key_exchange: "classical",
        callers: ["oauth:corp/client/old"],
      },
    ],
    own_certificates: [
      {
        used: "at the door",
        algorithm: "ML-DSA-65",
        classical: "Ed25519",
        not_after: "2026-11-21T12:40:00.000Z",
      },
    ],
    servers: [
      server,
      { ...server, name: "far", how: "http", target: "http://192.0.2.9", local: false },
      overTls("profile and classical", "X25519", { name: "saas" }),
      {
        ...overTls("profile", "X25519MLKEM768"),
        name: "billing",
        how: "peer",
        peer: "spiffe://acme.test/server/billing",
        negotiated: null,
      },
    ],
    issuers: [
      {
        name: "corp",
        issuer: "https://i.test",
        last_token: { algorithm: "ES256", at: "2026-11-21T11:59:00.000Z" },
      },
    ],
  },
  stored: {
    roots: [root, { ...root, generation: undefined, suite: "Ed25519" }],
    held: [held, { ...held, spiffeId: "spiffe://acme.test/agent/b", notAfterUnixMs: nowUnixMs + 600_000 }],
    delegationKeys: ["ML-DSA-65"],
    joinTokens: [
      { spiffeId: "spiffe://acme.test/agent/c", purpose: "client", expiresUnixMs: nowUnixMs + 60_000 },
    ],
  },
});

/** From the line that begins so to the next empty one. */
function part(lines: readonly string[], first: string): string {
  const from = lines.indexOf(first);
  assert.notEqual(from, -1, lines.join("\n"));
  const to = lines.indexOf("", from);
  return lines.slice(from, to === -1 ? undefined : to).join("\n");
}

function golden(text: string): string {
  return text.slice(1); // The line break after the opening backtick.
}

test("status in short", () => {
  assert.equal(
    statusText(statusDocument(facts), false).join("\n"),
    golden(`
Profile   hybrid since 2026-11-01T08:00:00.000Z; the config names hybrid
Gateway   runs at 192.0.2.7:8443 since 2026-11-20T08:00:00.000Z

Weak spots
  high    link 198.51.100.3:5000          X25519, without ML-KEM, at https://mcp.acme.test, oauth:corp/client/old
  high    server far                      plain http to http://192.0.2.9: nothing is encrypted
  high    server saas                     last reached by TLSv1.3 with X25519, without ML-KEM
  medium  listener https://mcp.acme.test  takes clients without ML-KEM (X25519, P-256)
  low     listener https://mcp.acme.test  proves itself with ECDSA-P-256 alone
  low     issuer corp                     signs its tokens with ES256

Listeners
  192.0.2.7:8443                          ml-dsa-mtls      takes X25519MLKEM768 SecP384r1MLKEM1024 SecP256r1MLKEM768               shows ML-DSA-65 + Ed25519
  https://mcp.acme.test at 192.0.2.7:443  web-certificate  takes X25519MLKEM768 SecP384r1MLKEM1024 SecP256r1MLKEM768 X25519 P-256  shows ECDSA-P-256

Links
  2  X25519MLKEM768  ML-DSA-65 + Ed25519     calls  at 192.0.2.7:8443
  1  X25519MLKEM768  no certificate of ours  calls  at https://mcp.acme.test
  1  X25519          no certificate of ours  calls  at https://mcp.acme.test

Own certificates
  at the door  ML-DSA-65 + Ed25519  until 2026-11-21T12:40:00.000Z

Servers
  files    stdio                       mcp-files, a process of this gateway
  far      plain http, not encrypted   http://192.0.2.9
  saas     TLSv1.3 X25519 ECDSA-P-256  https://s.test                                     last link at 2026-11-21T11:59:00.000Z
  billing  not reached yet             https://s.test, spiffe://acme.test/server/billing

Issuers
  corp  https://i.test  ES256, last at 2026-11-21T11:59:00.000Z

Roots
  client 1           ML-DSA-65  issuing  until 2031-11-20
  client, classical  Ed25519    issuing  until 2031-11-20

Certificates given out
  2 holders  client  ML-DSA-65

Join tokens
  spiffe://acme.test/agent/c  until 2026-11-21T12:01:00.000Z

Log
  Ed25519            key 0a1b2c3d
  ML-DSA-65          key 0a1b2c3d
  ML-DSA-44          key 0a1b2c3d
  SLH-DSA-SHA2-128s  key 0a1b2c3d

Delegations
  key  ML-DSA-65

Manifests
  none signed`),
  );
});

test("status --verbose names each link and each holder", () => {
  const lines = statusText(statusDocument(facts), true);
  assert.equal(
    part(lines, "Links"),
    golden(`
Links
  198.51.100.1:5000  X25519MLKEM768  ML-DSA-65 + Ed25519     calls  at 192.0.2.7:8443         spiffe://acme.test/agent/a
  198.51.100.9:6000  X25519MLKEM768  ML-DSA-65 + Ed25519     calls  at 192.0.2.7:8443         spiffe://acme.test/agent/a
  198.51.100.2:5000  X25519MLKEM768  no certificate of ours  calls  at https://mcp.acme.test  oauth:corp/client/app
  198.51.100.3:5000  X25519          no certificate of ours  calls  at https://mcp.acme.test  oauth:corp/client/old`),
  );
  assert.equal(
    part(lines, "Certificates given out"),
    golden(`
Certificates given out
  spiffe://acme.test/agent/a  client  ML-DSA-65  until 2026-11-21T12:50:00.000Z
  spiffe://acme.test/agent/b  client  ML-DSA-65  until 2026-11-21T12:10:00.000Z`),
  );
});

test("plan names what changes, who breaks and what to do about it, and sums up the rest", () => {
  const plan = planChange(facts, facts.inForce.profile, resolveProfile("cnsa-2.0"));
  assert.equal(
    planText(plan, { isVerbose: false, isComplete: true }).join("\n"),
    golden(`
From hybrid to cnsa-2.0
  groups      -X25519MLKEM768 -SecP256r1MLKEM768
  identities  -ML-DSA-65
  ciphers     -TLS_CHACHA20_POLY1305_SHA256
  log         -Ed25519 -ML-DSA-65 +ML-DSA-87
  hash        -SHA-256 +SHA-384

Breaks
  link  oauth:corp/client/old  it came over X25519, so it has none of SecP384r1MLKEM1024
      → update its TLS library, or put a sidecar (latticegate connect) in front of it

May break
  link    oauth:corp/client/app  it came over X25519MLKEM768; whether it has SecP384r1MLKEM1024 isn't known
      → try it first with a client of that kind, or put a sidecar (latticegate connect) in front of it
  server  saas                   it was last reached by X25519; without one of SecP384r1MLKEM1024 it isn't reached any more
      → ask who runs it, or put it behind \`latticegate expose\`

Changes by itself
  listener     192.0.2.7:8443                       takes SecP384r1MLKEM1024; no longer X25519MLKEM768, SecP256r1MLKEM768
  listener     https://mcp.acme.test                takes SecP384r1MLKEM1024; no longer X25519MLKEM768, SecP256r1MLKEM768, X25519, P-256
  link (2)     spiffe://acme.test/agent/a           X25519MLKEM768 and ML-DSA-65 end: its sidecar is told, renews with ML-DSA-87 and connects again with SecP384r1MLKEM1024
  server       billing                              spiffe://acme.test/server/billing is told, renews with ML-DSA-87 and is reached again with SecP384r1MLKEM1024
  certificate  spiffe://acme.test/agent/a (client)  ML-DSA-65; its sidecar is told, and renews with ML-DSA-87
  certificate  spiffe://acme.test/agent/b (client)  ML-DSA-65; it was due for renewal at 2026-11-21T11:40:00.000Z: if its sidecar is away, it renews with ML-DSA-87 when it comes back, while the root above it is trusted
  root         client root 1                        ML-DSA-65; a generation of ML-DSA-87 is made beside it, which issues from then on
  log          audit log                            signed with Ed25519, ML-DSA-65, ML-DSA-44, SLH-DSA-SHA2-128s; a new generation of keys takes over, ML-DSA-87, ML-DSA-44, SLH-DSA-SHA2-128s, and the old ones are erased
  join token   spiffe://acme.test/agent/c           counts until 2026-11-21T12:01:00.000Z; whoever joins with it gets ML-DSA-65 first, and renews with ML-DSA-87

Goes on as it is
  2  server
  1  issuer
  1  root

1 would break, 2 may break.`),
  );
});

const quiet: CryptoFacts = { ...factsWith(), gateway: { kind: "not running" } };

test("without a gateway that answers, status says what isn't known and leaves it out", () => {
  const lines = statusText(statusDocument(quiet), false);
  assert.equal(lines[1], "Gateway   doesn't run; listeners, links, servers and issuers aren't known");
  for (const title of ["Listeners", "Links", "Servers", "Issuers"]) assert.ok(!lines.includes(title), title);
  const silent = statusDocument({ ...quiet, gateway: { kind: "silent", why: "it is of another version" } });
  assert.match(
    statusText(silent, false)[1] ?? "",
    /^Gateway {3}runs, but it is of another version; listeners/,
  );
});

test("a plan without a gateway that answers says that it doesn't know who is there", () => {
  const plan = planChange(quiet, quiet.inForce.profile, resolveProfile("transition"));
  const lines = planText(plan, { isVerbose: false, isComplete: false });
  assert.ok(
    lines.includes("No running gateway was asked: listeners, links, servers and issuers aren't known."),
  );
  assert.equal(lines.at(-1), "Nothing breaks.");
});

test("a plan for what is in force says so, one for what is forbidden that it can't be", () => {
  const view = { isVerbose: false, isComplete: true };
  const { profile } = facts.inForce;
  assert.match(planText(planChange(facts, profile, profile), view)[0] ?? "", /nothing changes$/);
  const then = { ...facts, nowUnixMs: Date.parse("2036-01-02") };
  const lines = planText(planChange(then, profile, resolveProfile("transition")), view);
  assert.match(
    part(lines, "Breaks"),
    /can't be applied: X25519 is forbidden since 2036-01-01 \(NIST IR 8547\)/,
  );
  assert.equal(lines.at(-1), "transition can't be applied.");
});

const own = parseConfig(
  "crypto: { profiles: { strict: { based_on: hybrid, allowed_algos: [SecP384r1MLKEM1024, ML-DSA-65] } } }",
  "/nowhere/latticegate.yaml",
);

test("profiles shows each with its algorithms, what they are worth, and which one is in force", () => {
  const marks = { configured: "hybrid", inForce: "strict" };
  const lines = profilesText(profileRows(own, nowUnixMs), marks, nowUnixMs);
  assert.equal(
    part(lines, "transition"),
    golden(`
transition
  Hybrid preferred; links without ML-KEM are let in, marked, where a listener or server says so.
  key exchange    X25519MLKEM768, SecP384r1MLKEM1024, SecP256r1MLKEM768
  let in, marked  X25519 (deprecated), P-256 (deprecated)
  identities      ML-DSA-65, ML-DSA-87
  beside them     Ed25519
  ciphers         TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256
  hash            SHA-256
  NIST level      1, of the weakest
  meant for       until 2031-01-01 (NIST IR 8547)`),
  );
  assert.equal(
    part(lines, "strict: in force"),
    golden(`
strict: in force
  Your own: hybrid, narrowed.
  key exchange  SecP384r1MLKEM1024
  identities    ML-DSA-65
  beside them   Ed25519
  ciphers       TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256
  hash          SHA-256
  NIST level    3, of the weakest
  meant for     until 2036-01-01 (NIST IR 8547)`),
  );
  assert.ok(lines.includes("hybrid: configured"));
  const first = profilesText(profileRows(own, nowUnixMs), { ...marks, inForce: null }, nowUnixMs);
  assert.ok(first.includes("hybrid: configured, in force from the first start on"));
});

test("profiles names those that can't be applied any more", () => {
  const then = Date.parse("2036-01-02");
  const lines = profilesText(profileRows(own, then), { configured: "hybrid", inForce: "hybrid" }, then);
  assert.match(part(lines, "transition"), /can't be applied: X25519, P-256 may not be used any more/);
  assert.doesNotMatch(part(lines, "cnsa-2.0"), /can't be applied/);
});

test("suites lists every row with what it is worth that day", () => {
  const lines = suitesText(suiteRows(nowUnixMs));
  assert.equal(lines.length, suiteRows(nowUnixMs).length + 1);
  assert.match(lines[1] ?? "", /^X25519MLKEM768 +key exchange +hybrid +3 .* 0x11ec +allowed$/);
  assert.match(
    lines[4] ?? "",
    /^X25519 +key exchange +classical .* deprecated, forbidden from 2036-01-01 \(NIST IR 8547\)$/,
  );
  assert.match(suitesText(suiteRows(Date.parse("2036-01-02")))[4] ?? "", / forbidden, forbidden from 2036/);
});
