import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";

import { pseudonymOf } from "../crypto/subject-keys.ts";
import type { EntryDraft } from "../model/entry.ts";
import { type Subject, type Subjects, unveiled, veiled } from "./personal-facts.ts";

const agent = "spiffe://example.org/agent/a";
const other = "spiffe://example.org/agent/b";
const user = "oauth:corp/user/alice";
const client = "oauth:corp/client/app";

function someSubjects(): Subjects & { readonly find: (pseudonym: string) => Subject | undefined } {
  const all = new Map<string, Subject>();
  const made = (id: string): Subject => {
    const key = randomBytes(32);
    return { id, key, pseudonym: pseudonymOf(key, id) };
  };
  return {
    trustDomain: "example.org",
    of: (id) => {
      const subject = all.get(id) ?? made(id);
      all.set(id, subject);
      return subject;
    },
    knownOr: (id) => all.get(id) ?? made(id),
    find: (pseudonym) => [...all.values()].find((each) => each.pseudonym === pseudonym),
  };
}

function draft(
  event: EntryDraft["event"],
  principal: string,
  facts: Readonly<Record<string, string>>,
): EntryDraft {
  return { event, atUnixMs: 0, callId: "call-1", principal, tool: null, outcome: "allowed", facts };
}

/** Entries that name people, in every way there is. */
const personal: readonly EntryDraft[] = [
  draft("call.decision", agent, { chain: JSON.stringify([user, other]), session: "s-1", rule: "r" }),
  draft("call.decision", client, { chain: JSON.stringify([user]), "rule.party": user }),
  draft("identity.issue", agent, {
    serial: "0a",
    renewed_from: "0b",
    subject: "repo:acme/alice",
    how: "join",
  }),
  draft("response.act", client, { caller: client, user, because: `It asked for ${user}.` }),
  draft("identity.refuse", agent, { remote: "192.0.2.7:51234", reason: `${other} isn't known.` }),
  draft("identity.delegate", agent, { to: other, asked: "tools:*" }),
  draft("link.regressed", `${client} for ${user}, ${other}`, {
    remote: "[2001:db8::1]:4",
    from: "X",
    to: "Y",
  }),
  draft("link.accept", "spiffe://example.org/gateway", { peer: `${client} for ${user}` }),
];
const secrets = /agent|oauth|alice|192\.0\.2|2001:db8|"s-1"|"0a"|"0b"/;

test("no name, address, serial number or session gets into an entry, and all come back with the keys", () => {
  for (const entry of personal) {
    const subjects = someSubjects();
    // Whoever is spoken of in words was seen before.
    subjects.of(other);
    const written = veiled(entry, subjects);
    const text = JSON.stringify([written.principal, written.facts]);
    assert.doesNotMatch(text, secrets, entry.event);
    assert.deepEqual(unveiled(written, subjects.find), entry);
    assert.deepEqual(
      unveiled(written, () => undefined),
      written,
      "without keys it stays as it is",
    );
  }
});

test("the gateway, its servers and what isn't about people stay in the clear", () => {
  const plain = [
    draft("gateway.start", "spiffe://example.org/gateway", { version: "1" }),
    draft("identity.issue", "spiffe://example.org/server/files", { serial: "0a" }),
    draft("link.regressed", "files https://files.example", { remote: "192.0.2.7:443", from: "X", to: "Y" }),
    draft("call.outcome", "anonymous", { reason: "no_identity", status: "401" }),
  ];
  for (const entry of plain) assert.deepEqual(veiled(entry, someSubjects()), entry);
  const foreign = draft("identity.refuse", "spiffe://other.org/gateway", {});
  assert.match(veiled(foreign, someSubjects()).principal, /^pseudonym:/);
});

test("a principal that is a pseudonym already passes through; nobody else's word for one does", () => {
  const subjects = someSubjects();
  const { pseudonym } = subjects.of(agent);
  assert.equal(veiled(draft("call.outcome", pseudonym, {}), subjects).principal, pseudonym);
  const refused = { ...draft("identity.delegate", agent, { to: pseudonym }), outcome: "denied" } as const;
  const { to } = veiled(refused, subjects).facts;
  assert.match(to ?? "", /^pseudonym:/);
  assert.notEqual(to, pseudonym);
});

test("names that were only asked for, or stand in words, make nobody a subject", () => {
  const subjects = someSubjects();
  const made: string[] = [];
  const counting: Subjects = { ...subjects, of: (id) => (made.push(id), subjects.of(id)) };
  const refused = draft("identity.delegate", agent, { to: "agent/nobody", reason: `no ${other} here` });
  veiled({ ...refused, outcome: "denied" }, counting);
  assert.deepEqual([...new Set(made)], [agent]);
});

for (const odd of ["Alice Smith", "O'Neill, Pat", 'a "b" (c); d', "x for y"]) {
  test(`a name like ${odd} leaves nothing of itself in texts, nor where several are joined`, () => {
    const [someone, short] = [`oauth:corp/user/${odd}`, "oauth:corp/user/O"];
    const reason = `${someone}: no. ${short} asked (${someone}) for "${someone}", ${other}; ${someone}-2.`;
    const entries = [
      draft("identity.refuse", someone, { reason }),
      draft("link.regressed", `${client} for ${someone}, ${agent}`, { says: reason }),
      draft("call.decision", client, { chain: JSON.stringify([agent, someone]), reason }),
      draft("call.decision", client, { "rule.party": someone, reason }),
      draft("link.accept", "spiffe://example.org/gateway", {
        peer: `${client} for ${someone}`,
        says: reason,
      }),
      { ...draft("identity.delegate", agent, { to: someone, reason }), outcome: "denied" } as const,
    ];
    for (const entry of entries) {
      const subjects = someSubjects();
      const { principal, facts } = veiled(entry, subjects);
      const words = (facts["reason"] ?? facts["says"] ?? "").replaceAll(/pseudonym:[\w-]{22}/g, "P");
      if (words !== "") assert.equal(words, 'P: no. P asked (P) for "P", P; P.', entry.event);
      for (const text of [principal, ...Object.values(facts)]) {
        // A pseudonym is random, and may spell anything.
        const said = text.replaceAll(/pseudonym:[\w-]{22}/g, "P");
        assert.doesNotMatch(said, /oauth|spiffe:.*agent|Smith|Neill|Pat/, entry.event);
      }
    }
  });
}

test("a name that was only asked for hides no part of a longer one", () => {
  for (const to of ["oauth:", "spiffe://example.org/agent", "e", "spiffe://"]) {
    const reason = `${other} and ${user} aren't ${to}`;
    const refused = { ...draft("identity.delegate", agent, { to, reason }), outcome: "denied" } as const;
    assert.doesNotMatch(veiled(refused, someSubjects()).facts["reason"] ?? "", /alice|\/b|agent/);
  }
});
