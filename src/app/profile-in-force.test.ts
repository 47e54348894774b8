/** What becomes the profile in force at a start: the config's first one, an edit of it, and nothing else. */
import assert from "node:assert/strict";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { temporaryFolder } from "../../test/support/gateway.ts";
import { narrowed, type Profile, profileOf, resolveProfile } from "../crypto/suites/profiles.ts";
import { openProfiles, type ProfileChange, type ProfileStore } from "../host/store/state-profiles.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Config, parseConfig } from "./config.ts";
import { changeEvent, followConfig, wishIn } from "./profile-in-force.ts";

const atUnixMs = Date.parse("2026-11-21T12:00:00.000Z");
const clock = { nowUnixMs: () => atUnixMs };
const hybrid = parseConfig("profile: hybrid", "/etc/latticegate.yaml");

async function history(t: TestContext): Promise<ProfileStore> {
  const store = openProfiles(path.join(await temporaryFolder(t), "state.sqlite"));
  t.after(store.close);
  return store;
}

function apply(
  store: ProfileStore,
  { document }: Pick<Profile, "document">,
  configured: ProfileChange["configured"],
): void {
  const change = { atUnixMs, profile: document, configured, outgoingUntilUnixMs: 0 };
  store.apply(() => ({ change, event: changeEvent("apply", undefined, change) }));
}

function namesOf(store: ProfileStore): readonly string[] {
  return store.changes().map(({ profile }) => profile.name);
}

/** The same config, read by a release whose `hybrid` has one group less. */
function underAnotherRelease(config: Config): Config {
  const groups = config.profile.document.groups.slice(1);
  return { ...config, profile: profileOf({ ...config.profile.document, groups }) };
}

test("a release that changes a built-in profile doesn't undo what was applied", async (t) => {
  const store = await history(t);
  followConfig(store, hybrid, [], clock);
  apply(store, resolveProfile("cnsa-2.0"), wishIn(hybrid));
  followConfig(store, underAnotherRelease(hybrid), [], clock);
  assert.deepEqual(namesOf(store), ["hybrid", "cnsa-2.0"]);
});

test("an edit of the file is a change: another name, or another list of algorithms", async (t) => {
  const store = await history(t);
  const allowing = (algorithms: string): Config =>
    parseConfig(
      `profile: own\ncrypto: { profiles: { own: { based_on: hybrid, allowed_algos: [${algorithms}] } } }`,
      "/etc/latticegate.yaml",
    );
  const first = "ML-KEM-1024, ML-KEM-768, ML-DSA-65";
  for (const config of [hybrid, allowing(first), allowing(first), allowing("ML-KEM-1024, ML-DSA-65")]) {
    followConfig(store, config, [], clock);
  }
  assert.deepEqual(namesOf(store), ["hybrid", "own", "own"]);
  const least = "p2p_connectivity: { allowed_algos: [ML-KEM-1024, ML-DSA-65] }";
  followConfig(store, parseConfig(`profile: hybrid\n${least}`, "/etc/latticegate.yaml"), [], clock);
  followConfig(store, hybrid, [], clock);
  assert.deepEqual(namesOf(store), ["hybrid", "own", "own", "hybrid", "hybrid"]);
});

test("what an earlier release wrote of the config is read, and written anew", async (t) => {
  const store = await history(t);
  apply(store, resolveProfile("cnsa-2.0"), hybrid.profile.document);
  followConfig(store, hybrid, [], clock);
  assert.deepEqual(namesOf(store), ["cnsa-2.0"]);
  assert.deepEqual(store.changes()[0]?.configured, { name: "hybrid", based_on: "hybrid" });
  const other = profileOf(narrowed(hybrid.profile.document, ["SecP384r1MLKEM1024", "ML-DSA-65"]));
  apply(store, resolveProfile("cnsa-2.0"), other.document);
  followConfig(store, hybrid, [], clock);
  assert.deepEqual(namesOf(store), ["cnsa-2.0", "cnsa-2.0", "hybrid"]);
});

test("a profile that may not be used any more is refused before it is written down", async (t) => {
  const transition = parseConfig("profile: transition", "/etc/latticegate.yaml");
  const late = { nowUnixMs: () => Date.parse("2036-01-02T00:00:00.000Z") };
  const isForbidden = (error: unknown): boolean =>
    error instanceof Refusal && /X25519, P-256, which may not be used any more/.test(error.message);
  const store = await history(t);
  assert.throws(() => followConfig(store, transition, [], late), isForbidden);
  assert.deepEqual(namesOf(store), []);
  followConfig(store, hybrid, [], clock);
  assert.throws(() => followConfig(store, transition, [], late), isForbidden);
  assert.deepEqual(namesOf(store), ["hybrid"]);
});
