import assert from "node:assert/strict";
import { test } from "node:test";

import { browserOf, isPostQuantum, readPasskeys, readPeople, readSessions } from "./people.ts";

test("passkeys are read as they are, odd names shown for what they are, and answers of another kind as none", () => {
  const told = { id: "a", name: "Key\u202e", host: "localhost", algorithm: "ML-DSA-65", isSynced: true };
  const { passkeys, most } = readPasskeys({
    passkeys: [{ ...told, createdUnixMs: 5, usedUnixMs: null }],
    most: 16,
  });
  const [passkey] = passkeys;
  assert.deepEqual([passkey?.isSynced, passkey?.usedUnixMs, most], [true, undefined, 16]);
  assert.match(passkey?.name ?? "", /^Key⟨U\+202E/);
  assert.ok(passkey !== undefined && isPostQuantum(passkey));
  assert.deepEqual(readPasskeys("no"), { passkeys: [], most: 0 });
});

test("a person's ways in are told in words", () => {
  const { people, groups } = readPeople({
    people: [
      {
        name: "person:olga",
        roles: ["operator"],
        isNamed: true,
        ways: { link: true, oidc: true, token: false, passkeys: 2 },
        lastLogin: { way: "oidc", atUnixMs: 7 },
        sessions: 1,
      },
      { name: "person:x", roles: [], ways: { passkeys: 1 }, lastLogin: null },
    ],
    groups: [{ group: "sec-ops", roles: ["operator"] }],
  });
  assert.deepEqual(
    people.map(({ ways, isNamed, lastLogin }) => [ways, isNamed, lastLogin?.atUnixMs]),
    [
      ["link, provider, 2 passkeys", true, 7],
      ["1 passkey", false, undefined],
    ],
  );
  assert.deepEqual(groups, [{ group: "sec-ops", roles: ["operator"] }]);
});

const agents: readonly (readonly [agent: string, words: string])[] = [
  [
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36",
    "Chromium on Linux",
  ],
  [
    "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36 Edg/140.0",
    "Edge on Windows",
  ],
  [
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605 Version/19 Safari/604",
    "Safari on iOS",
  ],
  ["Mozilla/5.0 (Macintosh; Intel Mac OS X 15.0; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on macOS"],
  ["curl/8.5.0", "curl/8.5.0"],
  ["", "a program that says no name"],
];

test("a session's browser is told in a few words", () => {
  for (const [agent, words] of agents) assert.equal(browserOf(agent), words);
  assert.deepEqual(
    readSessions({ sessions: [{ id: "s", name: "person:a", agent: "curl/8", isThis: true }] }).map(
      ({ browser, isThis }) => [browser, isThis],
    ),
    [["curl/8", true]],
  );
});
