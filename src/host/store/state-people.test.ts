import assert from "node:assert/strict";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { passkey } from "../../../test/support/passkey-device.ts";
import { openPeople } from "./state-people.ts";

const newFile = (): string => join(mkdtempSync(join(tmpdir(), "latticegate-people-")), "state.sqlite");

test("a passkey is kept as it was made, for another process too, until it is removed", () => {
  const file = newFile();
  const [store, other] = [openPeople(file), openPeople(file)];
  store.addPasskey(passkey("one", "person:a"));
  store.addPasskey(passkey("two", "person:b"));
  assert.deepEqual(other.passkey("one"), { ...passkey("one", "person:a"), usedUnixMs: undefined });
  assert.deepEqual([other.hasPasskeys("localhost"), other.hasPasskeys("other.example")], [true, false]);
  assert.throws(() => other.addPasskey(passkey("one", "person:b")), /somebody's already/);
  assert.deepEqual([other.removePasskey("one"), store.removePasskey("one")], [true, false]);
  assert.deepEqual(
    store.passkeys().map(({ id }) => id),
    ["two"],
  );
  assert.equal(store.removePasskeys("person:b"), 1);
  store.close();
  other.close();
});

test("of two logins with one count of a passkey one counts; one that never counts goes on", () => {
  const file = newFile();
  const [store, other] = [openPeople(file), openPeople(file)];
  store.addPasskey(passkey("counts", "person:a"));
  store.addPasskey({ ...passkey("never", "person:a"), counter: 0 });
  const use = { counter: 2, isSynced: true, atUnixMs: 9 };
  assert.deepEqual([store.usedPasskey("counts", use), other.usedPasskey("counts", use)], [true, false]);
  assert.deepEqual(store.passkey("counts"), {
    ...passkey("counts", "person:a"),
    counter: 2,
    isSynced: true,
    usedUnixMs: 9,
  });
  for (const counter of [0, 0, 5]) assert.equal(store.usedPasskey("never", { ...use, counter }), true);
  assert.equal(store.usedPasskey("never", { ...use, counter: 0 }), false, "it counts since");
  assert.equal(store.usedPasskey("gone", use), false);
  store.close();
  other.close();
});

test("one person has 16 passkeys at most, and others have theirs", () => {
  const store = openPeople(newFile());
  for (let n = 0; n < 16; n++) store.addPasskey(passkey(`k${n}`, "person:a"));
  assert.throws(() => store.addPasskey(passkey("k16", "person:a")), /You have 16 passkeys/);
  store.addPasskey(passkey("k16", "person:b"));
  store.close();
});

test("when somebody came in last is remembered, of the thousand who came last", () => {
  const store = openPeople(newFile());
  for (let n = 0; n < 1001; n++) store.loggedIn(`person:${n}`, { way: "oidc", atUnixMs: n });
  store.loggedIn("person:7", { way: "link", atUnixMs: 2000 });
  const logins = store.lastLogins();
  assert.equal(logins.size, 1000);
  assert.deepEqual([...logins.keys()].slice(0, 2), ["person:7", "person:1000"]);
  assert.deepEqual(logins.get("person:7"), { way: "link", atUnixMs: 2000 });
  assert.equal(logins.has("person:0"), false);
  store.close();
});
