/** What the state database promises of revocations, whichever process writes first. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test, type TestContext } from "node:test";

import { Refusal } from "../../kernel/refusal.ts";
import { openGrants } from "./state-grants.ts";
import { openState, type StateStore } from "./state-sqlite.ts";

const spiffeId = "spiffe://acme.test/agent/a";
const certificate = { spiffeId, purpose: "client", notAfterUnixMs: 2000 };
const at = (id: string, nowUnixMs = 1000) => ({ id, nowUnixMs });

function databaseFile(t: TestContext): string {
  const folder = mkdtempSync(path.join(tmpdir(), "latticegate-"));
  t.after(() => rmSync(folder, { recursive: true }));
  return path.join(folder, "state.sqlite");
}

/** Opened twice, as by a gateway and a command. */
function opened(t: TestContext): { readonly gateway: StateStore; readonly command: StateStore } {
  const file = databaseFile(t);
  const [gateway, command] = [openState(file), openState(file)];
  t.after(() => (gateway.close(), command.close()));
  return { gateway, command };
}

function refused(code: string): (error: unknown) => boolean {
  return (error) => error instanceof Refusal && error.code === code && error.facts["spiffeId"] === spiffeId;
}

function grant(secretHash: string) {
  return { secretHash, spiffeId, purpose: "client" as const, expiresUnixMs: 5000, usedUnixMs: null };
}

test("the state database is its owner's alone, also one that was made before", (t) => {
  const file = databaseFile(t);
  writeFileSync(file, "", { mode: 0o644 });
  openState(file).close();
  assert.equal(statSync(file).mode & 0o777, 0o600);
});

test("a revocation before the renewal is written refuses it, one after it takes it along", (t) => {
  const { gateway, command } = opened(t);
  gateway.addCertificate({ ...certificate, serial: "a1" });
  const asOf = gateway.lastRevocation(); // The renewal is looked at, and approved.
  assert.equal(command.revoke("a1", at("r1"))?.certificates, 1);
  assert.throws(
    () => gateway.addCertificate({ ...certificate, serial: "a2", renewedFrom: "a1", asOf }),
    refused("bad_certificate"),
  );
  gateway.addCertificate({ ...certificate, serial: "b1" });
  gateway.addCertificate({ ...certificate, serial: "b2", renewedFrom: "b1" });
  assert.equal(command.revoke("b1", at("r2"))?.certificates, 2);
  assert.deepEqual([...gateway.revokedSerials()].toSorted(), ["a1", "b1", "b2"]);
});

test("an identity that has nothing yet is shut out on record, once", (t) => {
  const { gateway } = opened(t);
  assert.deepEqual(gateway.revoke(spiffeId, at("r"))?.isShutOut, true);
  assert.deepEqual(
    gateway.unrecorded().map((each) => [each.id, each.spiffeId, each.certificates]),
    [["r", spiffeId, 0]],
  );
  assert.equal(gateway.isShutOut(spiffeId), true);
  assert.equal(gateway.revoke(spiffeId, at("again")), undefined);
  assert.equal(gateway.revoke("oauth:corp/user/a", at("user"))?.isShutOut, true);
  assert.equal(gateway.revoke("00ff", at("serial")), undefined);
});

test("what an identity was granted goes in the transaction that revokes it, or stays with its certificates", (t) => {
  const file = databaseFile(t);
  const state = openState(file);
  const grants = openGrants(file, new Uint8Array(32));
  t.after(() => (state.close(), grants.close()));
  const facts = { server: "s", id: "1", issuer: "i", resource: "r", scope: "", grantedUnixMs: 1 };
  const holders = [spiffeId, JSON.stringify([spiffeId, "spiffe://acme.test/agent/b"]), `${spiffeId}2`];
  for (const holder of holders) grants.put({ ...facts, holder, tokens: { clientId: "c" } });
  state.addCertificate({ ...certificate, serial: "a1" });
  const crash = (): never => {
    state.revoke(spiffeId, at("r1"));
    throw new Error("before the end");
  };
  assert.throws(() => state.atomically(crash), /before the end/);
  assert.equal(state.revokedSerials().size, 0);
  assert.equal(grants.list().length, 3);
  assert.equal(state.revoke(spiffeId, at("r2"))?.certificates, 1);
  assert.deepEqual(
    grants.list().map(({ holder }) => holder),
    [`${spiffeId}2`],
  );
});

test("any serial of a family stands for all of it, however it is written", (t) => {
  const { gateway, command } = opened(t);
  gateway.addCertificate({ ...certificate, serial: "a1" });
  gateway.addCertificate({ ...certificate, serial: "a2", renewedFrom: "a1" });
  gateway.addCertificate({ ...certificate, serial: "a3", renewedFrom: "a2" });
  gateway.addCertificate({ ...certificate, serial: "other" });
  assert.equal(command.revoke("A:2", at("r1"))?.certificates, 3);
  assert.deepEqual([...gateway.revokedSerials()].toSorted(), ["a1", "a2", "a3"]);
  assert.equal(command.revoke("unknown", at("r2")), undefined);
});

test("an identity that is revoked between its token and its certificate gets none", (t) => {
  const { gateway, command } = opened(t);
  gateway.addGrant(grant("h1"));
  const asOf = gateway.lastRevocation();
  gateway.takeGrant("h1", 1000);
  assert.equal(command.revoke(spiffeId, at("r1"))?.certificates, 0);
  assert.throws(
    () => gateway.addCertificate({ ...certificate, serial: "a1", asOf }),
    refused("bad_join_token"),
  );
  // A token that is made afterwards counts.
  gateway.addGrant(grant("h2"));
  const later = gateway.lastRevocation();
  gateway.takeGrant("h2", 1000);
  gateway.addCertificate({ ...certificate, serial: "a2", asOf: later });
  assert.equal(gateway.revokedSerials().size, 0);
});

test("the revocation of a family refuses no other certificate on its way to the identity", (t) => {
  const { gateway, command } = opened(t);
  gateway.addCertificate({ ...certificate, serial: "a1" });
  const asOf = gateway.lastRevocation();
  command.revoke("a1", at("r1"));
  gateway.addCertificate({ ...certificate, serial: "b1", asOf });
  assert.deepEqual([...gateway.revokedSerials()], ["a1"]);
});

test("unused tokens of an identity are revoked with it, and counted while they were worth something", (t) => {
  const { gateway, command } = opened(t);
  for (const hash of ["h1", "h2"]) gateway.addGrant(grant(hash));
  gateway.addGrant({ ...grant("h3"), expiresUnixMs: 500 });
  assert.equal(command.revoke(spiffeId, at("r1"))?.joinTokens, 2);
  assert.throws(() => gateway.takeGrant("h1", 1000), Refusal);
});

test("each revocation that revoked something waits to be recorded, and then no more", (t) => {
  const { gateway, command } = opened(t);
  gateway.addCertificate({ ...certificate, serial: "a1" });
  command.revoke("a1", at("r1"));
  command.revoke("a1", at("r2")); // Nothing is left to revoke.
  assert.deepEqual(gateway.unrecorded(), [
    { id: "r1", spiffeId, serial: "a1", atUnixMs: 1000, certificates: 1, joinTokens: 0 },
  ]);
  gateway.markRecorded("r1", 1000);
  assert.deepEqual(gateway.unrecorded(), []);
});

test("what is listed says which certificates still count", (t) => {
  const { gateway, command } = opened(t);
  gateway.addCertificate({ ...certificate, serial: "old", notAfterUnixMs: 500 });
  gateway.addCertificate({ ...certificate, serial: "a1" });
  gateway.addCertificate({ ...certificate, serial: "a2", renewedFrom: "a1", notAfterUnixMs: 3000 });
  gateway.addCertificate({ ...certificate, serial: "gone", notAfterUnixMs: 1500 });
  command.revoke("gone", at("r1"));
  assert.deepEqual(
    gateway.certificates(1000).map(({ serial, state }) => [serial, state]),
    [
      ["a2", "valid"],
      ["a1", "superseded"],
      ["gone", "revoked"],
      ["old", "ended"],
    ],
  );
  assert.deepEqual(gateway.revokedCertificates(1000), [{ serial: "gone", notAfterUnixMs: 1500 }]);
  assert.deepEqual(gateway.revokedCertificates(1500), []);
});

test("holders are everybody with a certificate that hasn't ended, however many others are newer", (t) => {
  const { gateway } = opened(t);
  gateway.addCertificate({ ...certificate, serial: "first", purpose: "server", notAfterUnixMs: 2000 });
  gateway.addCertificate({ ...certificate, serial: "again", purpose: "server", notAfterUnixMs: 2001 });
  for (let i = 0; i < 1000; i += 1) {
    const other = { serial: `other${i}`, spiffeId: `${spiffeId}-${i}`, purpose: "client" };
    gateway.addCertificate({ ...certificate, ...other, notAfterUnixMs: 3000 });
  }
  assert.deepEqual(gateway.holders("server", 1000), [spiffeId]);
  assert.deepEqual(gateway.holders("server", 2001), []);
  assert.equal(gateway.holders("client", 1000).length, 1000);
});

test("what an identity holds is told by purpose and algorithm, without what is revoked or has ended", (t) => {
  const { gateway, command } = opened(t);
  const held = { ...certificate, keyAlgorithm: "ML-DSA-65" };
  gateway.addCertificate({ ...held, serial: "a1" });
  gateway.addCertificate({ ...held, serial: "a2", renewedFrom: "a1", notAfterUnixMs: 3000 });
  gateway.addCertificate({ ...held, serial: "a3", renewedFrom: "a2", keyAlgorithm: "ML-DSA-87" });
  gateway.addCertificate({ ...held, serial: "c1", purpose: "classical client", keyAlgorithm: "Ed25519" });
  gateway.addCertificate({
    ...held,
    serial: "ended",
    spiffeId: "spiffe://acme.test/agent/b",
    notAfterUnixMs: 1000,
  });
  gateway.addCertificate({ ...held, serial: "revoked", spiffeId: "spiffe://acme.test/agent/c" });
  gateway.revoke("revoked", at("r1"));
  const told = { spiffeId, purpose: "client", certificates: 1, notAfterUnixMs: 2000 };
  assert.deepEqual(command.held(1000), [
    { ...told, purpose: "classical client", keyAlgorithm: "Ed25519" },
    { ...told, keyAlgorithm: "ML-DSA-87" },
    { ...told, keyAlgorithm: "ML-DSA-65", certificates: 2, notAfterUnixMs: 3000 },
  ]);
});

test("join tokens are listed while they can be redeemed, without what they are redeemed with", (t) => {
  const { gateway, command } = opened(t);
  gateway.addGrant(grant("later"));
  gateway.addGrant({ ...grant("sooner"), purpose: "server", expiresUnixMs: 4000 });
  gateway.addGrant({ ...grant("over"), expiresUnixMs: 1000 });
  gateway.addGrant(grant("used"));
  gateway.takeGrant("used", 1000);
  assert.deepEqual(command.openGrants(1000), [
    { spiffeId, purpose: "server", expiresUnixMs: 4000 },
    { spiffeId, purpose: "client", expiresUnixMs: 5000 },
  ]);
});

test("a state file of before families keeps its certificates and revocations, and revokes by identity and purpose", (t) => {
  const file = databaseFile(t);
  const before = new DatabaseSync(file);
  before.exec(`
    create table join_grants (
      secret_hash text primary key, spiffe_id text not null, purpose text not null,
      expires_unix_ms integer not null, used_unix_ms integer
    ) strict;
    create table certificates (
      serial text primary key, spiffe_id text not null, purpose text not null,
      not_after_unix_ms integer not null, revoked_unix_ms integer
    ) strict;
    create index certificates_by_id on certificates (spiffe_id);
    insert into certificates values ('a1', '${spiffeId}', 'client', 2000, null),
      ('a2', '${spiffeId}', 'client', 3000, null), ('s1', '${spiffeId}', 'server', 2000, null),
      ('gone', '${spiffeId}', 'client', 2000, 900), ('x1', 'spiffe://acme.test/agent/x', 'client', 2000, null);
  `);
  before.close();
  const { gateway, command } = { gateway: openState(file), command: openState(file) };
  t.after(() => (gateway.close(), command.close()));
  assert.deepEqual([...gateway.revokedSerials()], ["gone"]);
  assert.equal(gateway.held(1000)[0]?.keyAlgorithm, undefined, "it wasn't written down");
  gateway.addCertificate({ ...certificate, serial: "a3", renewedFrom: "a2" });
  assert.equal(command.revoke("a2", at("r1"))?.certificates, 3);
  assert.deepEqual([...gateway.revokedSerials()].toSorted(), ["a1", "a2", "a3", "gone"]);
  assert.throws(
    () => gateway.addCertificate({ ...certificate, serial: "g2", renewedFrom: "gone" }),
    refused("bad_certificate"),
  );
});
