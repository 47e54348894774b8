/** What is done about findings changes the world, and what undoes it brings the very same one back. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, test, type TestContext } from "node:test";

import { makeWorld, restrained, type World } from "../../gate/world.ts";
import { provenSpiffeId, whyEnded } from "../../identity/admission.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { EntryDraft } from "../../model/entry.ts";
import { decide, type Question } from "../../policy/decide.ts";
import { decideLink } from "../../policy/link-rules.ts";
import { actions, actionNames, isRestriction } from "../../respond/actions.ts";
import {
  restraintsOf,
  type RestrictionKind,
  restrictionKinds,
  type Scope,
} from "../../respond/restriction.ts";
import { type Asked, openResponseDesk, type ResponseDesk } from "./response-desk.ts";

const caller = "spiffe://acme.test/agent/a";
const gatewayId = "spiffe://acme.test/gateway";

const bare = makeWorld({
  trust: {
    domain: "acme.test",
    identityAlgorithms: ["ML-DSA-65"],
    groups: ["X25519MLKEM768"],
    revokedSerials: new Set(),
    issuers: new Set(["root"]),
  },
  rules: [
    {
      name: "open",
      callers: ["*"],
      tools: ["*"],
      resources: ["*"],
      prompts: ["*"],
      effect: "allow",
      because: "All may.",
      mode: "enforce",
    },
  ],
  servers: ["bank"],
  tools: new Map([["bank", { blocked: new Map(), pinned: new Map([["pay", "h"]]), readOnly: new Map() }]]),
});

interface Desk {
  readonly desk: ResponseDesk;
  readonly entries: readonly EntryDraft[];
  readonly clock: { nowUnixMs: () => number; monotonicMs: () => number; set: (unixMs: number) => void };
  /** As another process would have it, after this one has ended. */
  readonly restarted: () => Promise<ResponseDesk>;
}

const startMs = Date.UTC(2026, 10, 22);

function openDesk(t: TestContext): Desk {
  const folder = mkdtempSync(path.join(tmpdir(), "latticegate-responses-"));
  t.after(() => rmSync(folder, { recursive: true }));
  let now = startMs;
  const clock = {
    nowUnixMs: () => now,
    monotonicMs: () => now,
    set: (unixMs: number) => void (now = unixMs),
  };
  const entries: EntryDraft[] = [];
  const journal = {
    append: (draft: EntryDraft) => {
      entries.push(draft);
      return Promise.resolve({ index: entries.length });
    },
    owe: () => undefined,
  } as unknown as Parameters<typeof openResponseDesk>[0]["journal"];
  const quiet = { error: assert.fail, warn: () => {}, info: () => {}, debug: () => {} };
  const open = (): ResponseDesk =>
    openResponseDesk({ database: path.join(folder, "state.sqlite"), journal, gatewayId, clock, log: quiet });
  let desk = open();
  t.after(() => desk.stop());
  return {
    desk,
    entries,
    clock,
    restarted: async () => {
      await desk.stop();
      return (desk = open());
    },
  };
}

function worldOf(desk: ResponseDesk, nowUnixMs: number): World {
  return restrained(bare, restraintsOf(desk.restrictions(), nowUnixMs));
}

const peer = {
  kind: "svid",
  spiffeId: caller,
  serial: "1",
  issuer: "root",
  keyAlgorithm: "ML-DSA-65",
} as const;
const channel = { group: "X25519MLKEM768", peer: { ...peer, notAfterUnixMs: 9e15 } };

/** All that the world says of the caller and the tool, with ten calls of it before. */
function said(world: World): readonly unknown[] {
  const question = (tool: string, signed: "none" | "direct"): Question => ({
    caller: {
      id: caller,
      chain: [],
      proof: { kind: "svid", serial: "1", issuer: "root", notAfterUnixMs: 9e15 },
    },
    link: { group: "X25519MLKEM768", level: 3, isPostQuantum: true, certificate: undefined },
    server: "bank",
    target: { kind: "tools", name: tool },
    signed: signed === "none" ? { mode: "none" } : { mode: "direct", algorithm: "ML-DSA-65", ageMs: 1 },
    facts: { of: () => ({ session: { id: "s1" }, history: { recall: () => 10 } }) },
  });
  const verdicts = (["none", "direct"] as const).flatMap((signed) =>
    ["pay", "list"].map((tool) => {
      const made = decide(question(tool, signed), world.rules);
      return made.kind === "permit" ? "permit" : [made.effect, made.held?.length, made.unsigned?.mode];
    }),
  );
  const posture = { group: "X25519MLKEM768", level: 3, isPostQuantum: true, certificate: undefined } as const;
  const link = decideLink({ proven: { caller, posture }, facts: {} }, world.linkRules.link);
  const times = { notBeforeUnixMs: 0, notAfterUnixMs: 9e15 };
  const facts = { uris: [caller], otherNames: 0, keyAlgorithm: "ML-DSA-65", serial: "1", ...times };
  const proven = ((): string => {
    try {
      return provenSpiffeId(facts, world.trust);
    } catch (error) {
      return error instanceof Refusal ? error.code : assert.fail();
    }
  })();
  const ended = whyEnded(channel, world.trust, startMs)?.code;
  const tools = [...world.tools].map(([name, { otherwise }]) => [name, otherwise]);
  return [verdicts, link.denied?.rule !== undefined, proven, ended, tools, [...world.shutOut]];
}

const scopes: Readonly<Record<RestrictionKind, Scope>> = {
  revoke_identity: { caller },
  cut: { caller },
  quarantine: { caller, server: "bank", tool: "pay" },
  freeze_manifest: { server: "bank" },
  hold: { caller, server: "bank" },
  read_only: { caller, session: "s1" },
  step_up: { server: "bank", tool: "pay" },
  limit: { caller, server: "bank", tool: "pay" },
};

function asked(kind: RestrictionKind, over: Partial<Asked> = {}): Asked {
  const limit = kind === "limit" && { limit: { calls: 10, perMs: 60_000 } };
  return {
    scope: scopes[kind],
    stages: [{ kind, untilUnixMs: startMs + 1000, ...limit }],
    because: "It was told to.",
    by: "operator:test",
    ...over,
  };
}

describe("a restriction that no rule can be made of", () => {
  const tooLong = { kind: "limit", untilUnixMs: startMs + 1000, limit: { calls: 1, perMs: 60 * 86_400_000 } };

  test("isn't stored: whoever asks for it is told", (t) => {
    const { desk } = openDesk(t);
    for (const order of [
      asked("limit", { stages: [tooLong as Asked["stages"][number]] }),
      asked("read_only", { scope: { caller, session: "s".repeat(5000) } }),
    ])
      assert.throws(() => desk.enact(order), Refusal);
    assert.deepEqual(desk.restrictions(), []);
  });

  test("because of the session that an agent sends is of all its sessions", (t) => {
    const { desk } = openDesk(t);
    const scope = { caller, session: "s".repeat(5000) };
    assert.deepEqual(desk.enact(asked("read_only", { scope, by: "playbook:test" })).scope, { caller });
  });
});

describe("each action that lasts", () => {
  for (const kind of restrictionKinds) {
    test(`${kind} changes what is decided; lifted, the world is the very same, digest and all`, (t) => {
      const { desk } = openDesk(t);
      const before = said(worldOf(desk, startMs));
      const made = desk.enact(asked(kind));
      const during = worldOf(desk, startMs);
      assert.notEqual(during.digest, bare.digest);
      assert.notDeepEqual(said(during), before);
      assert.equal(desk.lift(made.id, { by: "operator:test", because: "Over." }), true);
      assert.equal(worldOf(desk, startMs), bare, "without any, it is the same world");
      assert.deepEqual(said(worldOf(desk, startMs)), before);
    });

    test(`${kind} ends at its time by itself, and not a millisecond before; a restart in between changes nothing`, async (t) => {
      const { desk, clock, restarted } = openDesk(t);
      desk.enact(asked(kind));
      const { digest } = worldOf(desk, startMs);
      const again = await restarted();
      clock.set(startMs + 999);
      again.sweep();
      assert.equal(worldOf(again, clock.nowUnixMs()).digest, digest);
      clock.set(startMs + 1000);
      assert.equal(worldOf(again, clock.nowUnixMs()), bare, "over by its own time, before anybody swept");
      again.sweep();
      assert.deepEqual(again.restrictions(), []);
    });
  }

  test("says what it does, and how it is undone", () => {
    assert.deepEqual(actionNames.filter(isRestriction).toSorted(), [...restrictionKinds].toSorted());
    for (const name of actionNames) assert.match(`${actions[name].does} ${actions[name].undo}`, /\w+\. \w+/);
  });
});

test("what was done is on record: begun, milder, renewed, over, each once, also over a restart", async (t) => {
  const { desk, entries, clock, restarted } = openDesk(t);
  const stages = [
    { kind: "quarantine", untilUnixMs: startMs + 1000 },
    { kind: "read_only", untilUnixMs: startMs + 2000 },
  ] as const;
  desk.enact(asked("quarantine", { stages, incident: "i1", cause: "c1" }));
  clock.set(startMs + 1000);
  desk.sweep();
  desk.sweep();
  const again = await restarted();
  again.sweep();
  clock.set(startMs + 2000);
  again.sweep();
  again.act({ action: "notify", scope: {}, because: "Look.", by: "playbook:x" });
  await restarted();
  assert.deepEqual(
    entries.map(({ event, tool, facts }) => [event, tool, facts["action"], facts["next"], facts["by"]]),
    [
      ["response.act", "bank/pay", "quarantine", "read_only", "operator:test"],
      ["response.recover", "bank/pay", "read_only", undefined, "operator:test"],
      ["response.lift", "bank/pay", "read_only", undefined, "expiry"],
      ["response.act", null, "notify", undefined, "playbook:x"],
    ],
  );
  assert.deepEqual(
    [entries[0]?.principal, entries[0]?.facts["incident"], entries[0]?.facts["cause"]],
    [caller, "i1", "c1"],
  );
});

test("the same done again lasts longer and isn't done twice", (t) => {
  const { desk } = openDesk(t);
  const first = desk.enact(asked("quarantine"));
  const later = [{ kind: "quarantine", untilUnixMs: startMs + 9000 }] as const;
  const second = desk.enact(asked("quarantine", { stages: later }));
  assert.equal(second.id, first.id);
  assert.deepEqual(
    desk.restrictions().map(({ stages }) => stages),
    [later],
  );
});

test("one more than can be told apart becomes one of the whole caller, as strict and as long as the strictest, and nobody else's", (t) => {
  const { desk } = openDesk(t);
  const other = desk.enact(asked("read_only", { scope: { caller: "spiffe://acme.test/agent/b" } }));
  const byHand = desk.enact(asked("quarantine", { scope: { caller, server: "shop" } }));
  const by = "playbook:test";
  for (let i = 0; i < 50; i += 1) {
    const untilUnixMs = startMs + 1000 + i;
    desk.enact(
      asked("read_only", {
        by,
        scope: { caller, server: "bank", tool: `t${i}` },
        stages: [{ kind: i === 7 ? "quarantine" : "read_only", untilUnixMs }],
      }),
    );
  }
  assert.equal(desk.restrictions().length, 52);
  desk.enact(asked("read_only", { by, scope: { caller, server: "bank", tool: "last" } }));
  assert.ok(
    desk.restrictions().some(({ id }) => id === byHand.id),
    "what an operator did stays",
  );
  // Those of one moment are in the order of their ids, which are random.
  const folded = desk.restrictions().filter(({ id }) => id !== byHand.id);
  const shown = new Map(folded.map(({ scope, stages }) => [scope.caller, [scope, stages[0]]]));
  assert.equal(desk.restrictions().length, 3);
  assert.deepEqual(
    [shown.get(other.scope.caller), shown.get(caller)],
    [
      [other.scope, { kind: "read_only", untilUnixMs: startMs + 1000 }],
      [{ caller }, { kind: "quarantine", untilUnixMs: startMs + 1049 }],
    ],
  );
});

test("what would be about everybody, or about something else than it says, isn't done", (t) => {
  const { desk } = openDesk(t);
  const wrong: readonly Asked[] = [
    asked("quarantine", { scope: {} }),
    asked("quarantine", { scope: { tool: "pay" } }),
    asked("read_only", { scope: { session: "s1" } }),
    asked("cut", { scope: { server: "bank" } }),
    asked("revoke_identity", { scope: { caller, server: "bank" } }),
    asked("freeze_manifest", { scope: { caller, server: "bank" } }),
    asked("quarantine", { scope: { caller: gatewayId } }),
  ];
  for (const each of wrong)
    assert.throws(
      () => desk.enact(each),
      (error) => error instanceof Refusal && error.code === "bad_config",
    );
  assert.deepEqual(desk.restrictions(), []);
});
