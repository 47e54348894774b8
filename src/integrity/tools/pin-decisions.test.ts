import assert from "node:assert/strict";
import { test } from "node:test";

import * as fc from "fast-check";

import { approve, list, madeTool, toolsIn, type Watched, watched } from "../../../test/support/tool-lists.ts";
import type { VerifiedManifest } from "./manifest.ts";
import {
  approvable,
  approvePublisher,
  approveTools,
  isReadOnlyByManifest,
  rollBackTools,
  signedUntil,
  takeUpManifest,
  withPublishers,
} from "./pin-decisions.ts";
import { pinnedIn } from "./pin-versions.ts";
import { noToolPins, standingOf, type ToolPins } from "./tool-pins.ts";

const decision = { who: "ann", atUnixMs: 1, why: "looked at it" };

function hashOf(pins: ToolPins, name: string): string {
  return pins.pending.get(name)?.contentHash ?? pins.pinned.get(name)?.contentHash ?? "";
}

test("an approved form is shown and called, with who and why in the history", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  list(server, [madeTool("a", "Changed.")]);
  const contentHash = hashOf(server.pins, "a");
  const decided = approveTools(server.pins, [{ name: "a", contentHash }], decision);
  if (decided.kind === "refused") assert.fail(decided.why);
  server.pins = decided.pins;
  assert.equal(standingOf(server.pins, "a").kind, "pinned");
  const judged = list(server, [madeTool("a", "Changed.")]);
  assert.deepEqual([judged.kind, judged.findings], ["as-it-came", []]);
  const { version, why, changes } = server.pins.history.at(-1) ?? {};
  assert.deepEqual([version, why, changes?.[0]?.by], [2, "looked at it", { kind: "operator", who: "ann" }]);
  assert.equal(changes?.[0]?.to, contentHash);
});

test("what came after what somebody looked at isn't approved with it", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  list(server, [madeTool("a", "Changed.")]);
  const seen = approvable(server.pins);
  list(server, [madeTool("a", "Changed to something worse.")]);
  const decided = approveTools(server.pins, seen, decision);
  assert.equal(decided.kind, "refused");
  assert.match(decided.kind === "refused" ? decided.why : "", /in another form by now/);
});

test("what doesn't wait, and what can't be read, can't be approved", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  list(server, [madeTool("a"), { name: "b" }, { name: "b" }]);
  for (const name of ["a", "b", "c"]) {
    const decided = approveTools(server.pins, [{ name, contentHash: hashOf(server.pins, name) }], decision);
    assert.equal(decided.kind, "refused", name);
  }
});

test("all at once is all but hidden text and what was rolled back, which want to be named", () => {
  const server = watched();
  list(server, [madeTool("a"), madeTool("r")]);
  list(server, [
    madeTool("a", "Changed."),
    madeTool("r"),
    madeTool("b"),
    madeTool("h", "Hid\u200Bden text."),
  ]);
  approve(server, approvable(server.pins));
  assert.deepEqual([...server.pins.pinned.keys()].toSorted(), ["a", "b", "r"]);
  const back = rollBackTools(server.pins, 1, decision);
  assert.equal(back.kind, "done");
  assert.deepEqual(back.kind === "done" && approvable(back.pins), []);
  approve(server, [{ name: "h", contentHash: hashOf(server.pins, "h") }]);
  assert.equal(standingOf(server.pins, "h").kind, "pinned");
});

test("a tool that is gone is unpinned by approval only", () => {
  const server = watched();
  list(server, [madeTool("a"), madeTool("b")]);
  const gone = [{ name: "b", contentHash: undefined }];
  assert.equal(approveTools(server.pins, gone, decision).kind, "refused");
  list(server, [madeTool("a")]);
  approve(server, gone);
  assert.deepEqual([...server.pins.pinned.keys()], ["a"]);
  assert.deepEqual(
    list(server, [madeTool("a"), madeTool("b")]).findings.map(({ kind }) => kind),
    ["new"],
  );
});

test("a roll-back shows and allows what was, blocks at once what was rolled back, and no rule takes that up again", () => {
  const server = watched({ pin: "first-use", accept: ["description", "new"] });
  list(server, [madeTool("a"), madeTool("b")]);
  list(server, [madeTool("a", "Changed."), madeTool("b"), madeTool("c")]);
  assert.equal(server.pins.version, 2);
  const decided = rollBackTools(server.pins, 1, decision);
  if (decided.kind === "refused") assert.fail(decided.why);
  server.pins = decided.pins;
  assert.deepEqual([server.pins.version, server.pins.history.length], [3, 3]);
  for (const name of ["a", "c"]) assert.equal(standingOf(server.pins, name).kind, "blocked", name);
  const judged = list(server, [madeTool("a", "Changed."), madeTool("b"), madeTool("c")]);
  assert.deepEqual(toolsIn(judged.answer), [madeTool("a"), madeTool("b")]);
  assert.deepEqual(server.pins.pending.get("a")?.reasons, ["changed", "rolled-back"]);
  assert.equal(standingOf(server.pins, "b").kind, "pinned");
  list(server, [madeTool("a"), madeTool("b")]);
  assert.equal(standingOf(server.pins, "a").kind, "pinned");
});

test("a roll-back can be rolled back", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  list(server, [madeTool("a", "Changed.")]);
  approve(server, approvable(server.pins));
  for (const version of [1, 2]) {
    const decided = rollBackTools(server.pins, version, decision);
    if (decided.kind === "refused") assert.fail(decided.why);
    server.pins = decided.pins;
  }
  const judged = list(server, [madeTool("a", "Changed.")]);
  assert.deepEqual([judged.kind, server.pins.version], ["as-it-came", 4]);
});

test("a form that was rolled back and approved after all is taken up by rules again", () => {
  const server = watched({ pin: "first-use", accept: ["description"] });
  list(server, [madeTool("a")]);
  list(server, [madeTool("a", "Changed.")]);
  const decided = rollBackTools(server.pins, 1, decision);
  if (decided.kind === "refused") assert.fail(decided.why);
  server.pins = decided.pins;
  approve(server, [{ name: "a", contentHash: hashOf(server.pins, "a") }]);
  list(server, [madeTool("a", "Third.")]);
  assert.equal(list(server, [madeTool("a", "Changed.")]).kind, "as-it-came");
});

test("a roll-back to what the server has again blocks nothing", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  list(server, [madeTool("a", "Changed.")]);
  approve(server, approvable(server.pins));
  list(server, [madeTool("a")]);
  assert.equal(standingOf(server.pins, "a").kind, "blocked");
  const decided = rollBackTools(server.pins, 1, decision);
  assert.equal(decided.kind === "done" && standingOf(decided.pins, "a").kind, "pinned");
});

test("a version that isn't there can't be rolled back to", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  for (const version of [1, 2, -1, 0.5]) {
    const decided = rollBackTools(server.pins, version, decision);
    assert.equal(decided.kind, "refused", String(version));
  }
  const none = rollBackTools(server.pins, 0, decision);
  assert.equal(none.kind === "done" && none.pins.pinned.size, 0);
});

function manifestOf(server: Watched, more: Partial<VerifiedManifest> = {}): VerifiedManifest {
  const tools = [...server.pins.pinned, ...server.pins.pending].flatMap(([name, { contentHash }]) =>
    contentHash === undefined ? [] : [{ name, contentHash }],
  );
  return {
    server: "https://mcp.example/mcp",
    specVersion: "2025-11-25",
    issuedAtUnixMs: server.atUnixMs,
    expiresAtUnixMs: server.atUnixMs + 86_400_000,
    nonce: `at ${server.atUnixMs}`,
    tools: [...new Map(tools.map((entry) => [entry.name, entry])).values()],
    prompts: [],
    resources: [],
    signedBy: "publisher",
    ...more,
  };
}

const trusting = { publishers: [], pin: "first-use" } as const;

function takeUp(server: Watched, manifest: VerifiedManifest): string {
  const taken = takeUpManifest(server.pins, manifest, trusting);
  if (taken.kind === "taken") server.pins = taken.pins;
  return taken.kind === "refused" ? taken.why : taken.kind;
}

test("a newer manifest of the pinned publisher takes up the changes it signs, and only these", () => {
  const server = watched();
  assert.equal(takeUp(server, manifestOf(server)), "taken");
  list(server, [madeTool("a"), madeTool("b")]);
  assert.deepEqual(server.pins.pending.get("a")?.reasons, ["unsigned"]);
  assert.equal(takeUp(server, manifestOf(server)), "taken");
  assert.equal(list(server, [madeTool("a"), madeTool("b")]).kind, "as-it-came");
  assert.deepEqual(server.pins.pinned.get("a")?.by, { kind: "manifest", publisher: "publisher" });
  list(server, [madeTool("a", "Changed."), madeTool("b")]);
  const manifest = manifestOf(server);
  assert.equal(standingOf(server.pins, "a").kind, "blocked");
  const signed = hashOf(server.pins, "a");
  const newer = { ...manifest, tools: manifest.tools.filter(({ name }) => name !== "b") };
  assert.equal(takeUp(server, newer), "taken");
  const judged = list(server, [madeTool("a", "Changed."), madeTool("b", "Changed too.")]);
  assert.deepEqual(toolsIn(judged.answer), [madeTool("a", "Changed."), madeTool("b")]);
  assert.equal(server.pins.pinned.get("a")?.contentHash, signed);
  assert.equal(standingOf(server.pins, "b").kind, "blocked");
});

test("a manifest doesn't vouch for hidden text, nor for what was rolled back, nor after its time", () => {
  const server = watched();
  takeUp(server, manifestOf(server));
  list(server, [madeTool("h", "Hid\u200Bden text.")]);
  takeUp(server, manifestOf(server));
  list(server, [madeTool("h", "Hid\u200Bden text.")]);
  assert.deepEqual(server.pins.pending.get("h")?.reasons, ["new", "unsigned", "hidden-text"]);
  const late = watched();
  takeUp(late, manifestOf(late));
  list(late, [madeTool("a")]);
  takeUp(late, manifestOf(late, { expiresAtUnixMs: late.atUnixMs + 1 }));
  list(late, [madeTool("a")]);
  assert.equal(standingOf(late.pins, "a").kind, "blocked");
});

test("a manifest of a publisher that another took the place of vouches for nothing more", () => {
  const server = watched();
  takeUp(server, manifestOf(server));
  list(server, [madeTool("a")]);
  takeUp(server, manifestOf(server));
  server.pins = approvePublisher(server.pins, "other");
  list(server, [madeTool("a")]);
  assert.equal(standingOf(server.pins, "a").kind, "blocked");
});

test("a manifest never goes back: replayed, older, of the same time, or with a version that fell", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  server.pins = approvePublisher(server.pins, "publisher");
  const first = manifestOf(server);
  assert.equal(takeUp(server, first), "taken");
  assert.equal(takeUp(server, first), "known");
  const second = {
    ...first,
    issuedAtUnixMs: first.issuedAtUnixMs + 1000,
    nonce: "second",
    tools: first.tools.map((entry) => ({ ...entry, version: "10" })),
  };
  assert.equal(takeUp(server, second), "taken");
  assert.equal(takeUp(server, first), "older");
  assert.equal(takeUp(server, { ...second, nonce: "third" }), "older");
  const fallen = second.tools.map((entry) => ({ ...entry, version: "9" }));
  const third = { ...second, issuedAtUnixMs: second.issuedAtUnixMs + 1000, nonce: "third" };
  assert.equal(takeUp(server, { ...third, tools: fallen }), "older");
  assert.equal(takeUp(server, third), "taken");
});

test("a publisher is pinned before any tool is, or named, or approved; another never counts", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  assert.equal(takeUp(server, manifestOf(server)), "unknown_publisher");
  server.pins = approvePublisher(server.pins, "publisher");
  assert.equal(takeUp(server, manifestOf(server)), "taken");
  const other = manifestOf(server, { signedBy: "other", issuedAtUnixMs: server.atUnixMs + 1, nonce: "x" });
  assert.equal(takeUp(server, other), "unknown_publisher");
  const named = takeUpManifest(server.pins, other, { publishers: ["other"], pin: "approve" });
  assert.deepEqual(named.kind === "taken" && named.pins.publisher, {
    fingerprint: "other",
    state: "approved",
  });
  const strict = takeUpManifest(noToolPins, other, { publishers: [], pin: "approve" });
  assert.equal(strict.kind, "refused");
  const elsewhere = takeUpManifest(noToolPins, other, { publishers: ["publisher"], pin: "first-use" });
  assert.equal(elsewhere.kind, "refused");
});

test("a manifest doesn't go back by way of another publisher who counts too", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  const both = { publishers: ["a", "b"], pin: "approve" } as const;
  const by = (signedBy: string, issuedAtUnixMs: number, version: string) => {
    const [entry] = manifestOf(server).tools;
    if (entry === undefined) assert.fail("no tool");
    const tools = [{ ...entry, version }];
    return manifestOf(server, { signedBy, issuedAtUnixMs, nonce: `${signedBy} ${issuedAtUnixMs}`, tools });
  };
  const outcome = (manifest: VerifiedManifest, settings: Parameters<typeof takeUpManifest>[2] = both) => {
    const taken = takeUpManifest(server.pins, manifest, settings);
    if (taken.kind === "taken") server.pins = taken.pins;
    return taken.kind === "refused" ? taken.why : taken.kind;
  };
  assert.equal(outcome(by("a", 5, "5")), "taken");
  assert.equal(outcome(by("a", 1, "5")), "older");
  assert.equal(outcome(by("b", 2, "5")), "older");
  assert.equal(outcome(by("b", 5, "5")), "older");
  assert.equal(outcome(by("b", 6, "4")), "older");
  assert.equal(outcome(by("b", 6, "5")), "taken");
  assert.equal(outcome(by("a", 5, "5")), "older");
  assert.equal(outcome(by("a", 7, "7")), "taken");
  // Who doesn't count any more holds nobody back.
  assert.equal(outcome(by("b", 6, "6"), { publishers: ["b"], pin: "approve" }), "taken");
});

test("a publisher that the settings don't name any more takes up nothing and vouches for nothing", () => {
  const server = watched();
  list(server, [madeTool("a", "Reads.", { trust: { effect: "read-only" } })]);
  server.pins = approvePublisher(server.pins, "old");
  const first = manifestOf(server, { signedBy: "old" });
  assert.equal(takeUp(server, first), "taken");
  assert.ok(isReadOnlyByManifest(server.pins, "a", server.atUnixMs));
  assert.equal(withPublishers(server.pins, ["new", "old"]), server.pins);
  assert.equal(withPublishers(server.pins, []), server.pins);
  const later = manifestOf(server, {
    signedBy: "old",
    issuedAtUnixMs: server.atUnixMs + 1,
    nonce: "later",
    tools: [{ name: "a", contentHash: "sha256-x" }],
  });
  const settings = { publishers: ["new"], pin: "first-use" } as const;
  assert.deepEqual(takeUpManifest(server.pins, later, settings), {
    kind: "refused",
    why: "unknown_publisher",
  });
  server.pins = withPublishers(server.pins, ["new"]);
  assert.equal(isReadOnlyByManifest(server.pins, "a", server.atUnixMs), false);
  assert.equal(signedUntil(server.pins, "a"), 0);
  list(server, [madeTool("a"), madeTool("b")]);
  assert.deepEqual(server.pins.pending.get("b")?.reasons, ["new", "unsigned"]);
  assert.equal(takeUp(server, later), "unknown_publisher");
  const again = takeUpManifest(server.pins, first, { publishers: ["old"], pin: "first-use" });
  assert.ok(again.kind === "taken" && signedUntil(again.pins, "a") > 0);
});

test("a tool only reads if an approved manifest says so of the very form that is pinned", () => {
  const server = watched();
  list(server, [madeTool("a"), madeTool("d", "Deletes.", { trust: { effect: "destructive" } })]);
  const readOnly = manifestOf(server);
  const trust = {
    effect: "read-only",
    egress: "none",
    dataSensitivity: "public",
    reversible: true,
    idempotent: true,
    capabilities: { network: [], filesystem: { read: [], write: [] }, subprocess: false, env: [] },
  } as const;
  const manifest = { ...readOnly, tools: readOnly.tools.map((entry) => ({ ...entry, trust })) };
  const isReadOnly = (pins: ToolPins, name: string, atUnixMs = server.atUnixMs) =>
    isReadOnlyByManifest(pins, name, atUnixMs);
  const firstUse = takeUpManifest({ ...server.pins, version: 0 }, manifest, trusting);
  assert.equal(firstUse.kind === "taken" && isReadOnly(firstUse.pins, "a"), false);
  server.pins = approvePublisher(server.pins, "publisher");
  assert.equal(isReadOnly(server.pins, "a"), false);
  const unlabelled = { ...readOnly, issuedAtUnixMs: readOnly.issuedAtUnixMs - 1 };
  assert.equal(takeUp(server, unlabelled), "taken");
  assert.equal(isReadOnly(server.pins, "a"), false);
  assert.equal(takeUp(server, manifest), "taken");
  assert.equal(isReadOnly(server.pins, "a"), true);
  assert.equal(isReadOnly(server.pins, "d"), false);
  assert.equal(isReadOnly(server.pins, "x"), false);
  assert.equal(isReadOnly(server.pins, "a", manifest.expiresAtUnixMs), false);
  list(server, [madeTool("a", "Changed.")]);
  approve(server, approvable(server.pins));
  assert.equal(isReadOnly(server.pins, "a"), false);
});

/** Every promise that pins make, whatever happened before. */
function check(pins: ToolPins, snapshots: readonly ReadonlyMap<string, string>[]): void {
  const pinned = new Map([...pins.pinned].map(([name, { contentHash }]) => [name, contentHash]));
  for (const [version, snapshot] of snapshots.entries()) {
    assert.deepEqual(new Map(pinnedIn(pins, version)), snapshot, `version ${version}`);
  }
  for (const hash of pinned.values()) assert.ok(pins.forms.has(hash));
  for (const { contentHash } of pins.pending.values()) {
    assert.ok(contentHash === undefined || pins.forms.has(contentHash));
  }
  for (const [name, { contentHash }] of pins.pending) assert.notEqual(pinned.get(name), contentHash);
  assert.equal(pins.history.length, pins.version);
}

test("whatever a server lists and an operator decides, clients see what is pinned and the history holds", () => {
  const toolNames = ["a", "b", "c"];
  const tools = fc.uniqueArray(fc.record({ name: fc.constantFrom(...toolNames), form: fc.nat(2) }), {
    selector: ({ name }) => name,
    maxLength: 3,
  });
  const step = fc.oneof(
    fc.record({ kind: fc.constant("list" as const), tools }),
    fc.record({ kind: fc.constant("approve" as const), name: fc.constantFrom(...toolNames) }),
    fc.record({ kind: fc.constant("roll-back" as const), to: fc.nat(6) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), fc.boolean(), (steps, accepts) => {
      const server = watched({ pin: "first-use", accept: accepts ? ["description"] : [] });
      const snapshots: ReadonlyMap<string, string>[] = [new Map()];
      for (const each of steps) {
        if (each.kind === "list") {
          const listed = each.tools.map(({ name, form }) => madeTool(name, `Form ${form} of it.`));
          const judged = list(server, listed);
          for (const tool of toolsIn(judged.answer)) {
            const hash = server.pins.pinned.get(tool.name)?.contentHash ?? "";
            assert.deepEqual(JSON.parse(server.pins.forms.get(hash) ?? "{}"), tool);
          }
          for (const { name } of listed) {
            const shown = toolsIn(judged.answer).some((tool) => tool.name === name);
            assert.equal(shown, server.pins.pinned.has(name));
            const isAsListed = toolsIn(judged.answer).some((tool) => listed.includes(tool));
            assert.ok(standingOf(server.pins, name).kind !== "pinned" || shown || isAsListed);
          }
          const { pins } = server;
          assert.deepEqual(list(server, listed).findings, []);
          assert.equal(server.pins, pins);
        } else if (each.kind === "approve") {
          const contentHash = server.pins.pending.get(each.name)?.contentHash;
          if (contentHash !== undefined) approve(server, [{ name: each.name, contentHash }]);
        } else {
          const decided = rollBackTools(server.pins, each.to, decision);
          if (decided.kind === "done") server.pins = decided.pins;
        }
        const now = [...server.pins.pinned].map(([name, { contentHash }]): [string, string] => [
          name,
          contentHash,
        ]);
        if (server.pins.version === snapshots.length) snapshots.push(new Map(now));
        check(server.pins, snapshots);
      }
    }),
  );
});
