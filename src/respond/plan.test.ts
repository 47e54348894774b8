import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { seededRandom } from "../kernel/seeded-random.ts";
import { type Plan, plan, type PlanMemory, planMemory, votesWithinMs } from "./plan.ts";
import { compilePlaybook, type Playbook } from "./playbook.ts";
import { playbookSchema, stepScopes } from "./playbook-schema.ts";
import type { Scope } from "./restriction.ts";
import type { Signal } from "./signal.ts";

function playbook(over: Readonly<Record<string, unknown>> = {}): Playbook {
  const document = playbookSchema.parse({
    name: "test",
    because: "It was told to.",
    on: { risk: { call: 0.9 } },
    steps: [{ do: "quarantine" }],
    ...over,
  });
  const made = compilePlaybook({ ...document, mode: "enforce" });
  if (made.kind === "mistake") throw new Error(made.message);
  return made.playbook;
}

const about = { caller: "agent/a", session: "s1", server: "bank", tool: "pay" };

function signal(over: Partial<Signal> = {}): Signal {
  return {
    kind: "risk.call",
    score: 0.95,
    isHard: false,
    evidence: "proven",
    about,
    says: "It was asked for.",
    callId: "c1",
    atUnixMs: 0,
    ...over,
  };
}

/** What the last of these signals has planned. */
function planned(
  playbooks: readonly Playbook[],
  signals: readonly Signal[],
  { memory = planMemory(), everyMs = 0 }: { memory?: PlanMemory; everyMs?: number } = {},
): readonly Plan[] {
  let last: readonly Plan[] = [];
  for (const [index, each] of signals.entries())
    last = plan([each], { playbooks, memory, nowUnixMs: 1 + index * everyMs });
  return last;
}

function scopes(plans: readonly Plan[]): readonly Scope[] {
  return plans.flatMap(({ steps }) => steps.map(({ scope }) => scope));
}

describe("whom and what a step is about", () => {
  const cases: readonly (readonly [string, Scope, Scope])[] = [
    ["caller_tool", about, { caller: "agent/a", server: "bank", tool: "pay" }],
    ["session", about, { caller: "agent/a", session: "s1" }],
    ["caller", about, { caller: "agent/a" }],
    ["tool", about, { caller: "agent/a", server: "bank", tool: "pay" }],
    ["server", about, { caller: "agent/a", server: "bank", tool: "pay" }],
    [
      "caller_tool",
      { caller: "agent/a", session: "s1", server: "bank" },
      { caller: "agent/a", session: "s1", server: "bank" },
    ],
  ];
  for (const [of, seen, expected] of cases)
    test(`${of} of ${Object.keys(seen).join(", ")} is ${Object.keys(expected).join(", ")}`, () => {
      const book = playbook({ steps: [{ do: "quarantine", of }] });
      assert.deepEqual(scopes(planned([book], [signal({ about: seen })])), [expected]);
    });

  test("a whole tool is, once two callers' evidence is there within an hour", () => {
    const book = playbook({ steps: [{ do: "quarantine", of: "tool" }] });
    const both = [signal(), signal({ about: { ...about, caller: "agent/b" } })];
    assert.deepEqual(scopes(planned([book], both)), [{ server: "bank", tool: "pay" }]);
    const late = planned([book], both, { everyMs: votesWithinMs + 1 });
    assert.deepEqual(scopes(late), [{ caller: "agent/b", server: "bank", tool: "pay" }]);
    assert.match(late[0]?.steps[0]?.because ?? "", /another one's evidence is needed/);
  });

  test("of one user through two clients, or one client for two users, the evidence is one's", () => {
    const book = playbook({ steps: [{ do: "quarantine", of: "tool" }] });
    const by = (client: string, user: string): Signal =>
      signal({ about: { ...about, caller: client, user }, chain: [user] });
    const own = { server: "bank", tool: "pay" };
    assert.deepEqual(scopes(planned([book], [by("ide", "mallory"), by("desktop", "mallory")])), [
      { caller: "desktop", user: "mallory", ...own },
    ]);
    assert.deepEqual(scopes(planned([book], [by("ide", "mallory"), by("ide", "bob")])), [
      { caller: "ide", user: "bob", ...own },
    ]);
    assert.deepEqual(scopes(planned([book], [by("ide", "mallory"), by("desktop", "bob")])), [own]);
  });

  test("what a client did for a user is about that user's calls, session or link alone", () => {
    const user = "oauth:x/user/u";
    for (const each of ["caller_tool", "session", "caller", "peer"]) {
      const [scope] = scopes(
        planned(
          [playbook({ steps: [{ do: "quarantine", of: each }] })],
          [signal({ about: { ...about, user } })],
        ),
      );
      assert.equal(scope?.user, user, each);
    }
  });

  test("a whole server is at once, where a manifest says so, or the gateway itself has seen it", () => {
    const book = playbook({ on: { drift: true, egress: true }, steps: [{ do: "quarantine", of: "server" }] });
    for (const seen of [
      signal({ kind: "drift", evidence: "manifest", about: { server: "bank", tool: "pay" } }),
      signal({ kind: "egress", about: { server: "bank" } }),
    ])
      assert.deepEqual(scopes(planned([book], [seen])), [{ server: "bank" }]);
  });

  test("a server's flows, which one caller may have brought about, take it from nobody; people are told", () => {
    const flows = (steps: readonly object[]): readonly Plan[] =>
      planned(
        [playbook({ on: { flows: ["*"] }, steps })],
        [signal({ kind: "flow flow.beacon", about: { server: "bank" } })],
      );
    assert.deepEqual(
      flows([
        { do: "quarantine", of: "server" },
        { do: "cut", of: "peer" },
      ]),
      [],
    );
    assert.deepEqual(scopes(flows([{ do: "notify", of: "server" }])), [{ server: "bank" }]);
  });

  test("what can't be narrowed to one caller isn't done on the word of one", () => {
    const book = playbook({ steps: [{ do: "freeze_manifest", of: "server" }] });
    assert.deepEqual(planned([book], [signal()]), []);
  });

  test("a peer that is a server is called no more; one that is a caller is cut", () => {
    const book = playbook({ on: { regression: "high" }, steps: [{ do: "cut", of: "peer" }] });
    const done = (seen: Scope): readonly unknown[] =>
      planned([book], [signal({ kind: "regression", about: seen })]).flatMap(({ steps }) =>
        steps.map(({ step, scope }) => [step.do, scope]),
      );
    assert.deepEqual(done({ caller: "agent/a" }), [["cut", { caller: "agent/a" }]]);
    assert.deepEqual(done({ server: "bank" }), [["quarantine", { server: "bank" }]]);
  });
});

describe("when a playbook runs", () => {
  test("once for the same, until its cool-down is over; for others all the same", () => {
    const memory = planMemory();
    const run = (nowUnixMs: number, caller = "agent/a"): number =>
      plan([signal({ about: { ...about, caller } })], {
        playbooks: [playbook({ cool_down: "1m" })],
        memory,
        nowUnixMs,
      }).length;
    assert.deepEqual([run(0), run(59_999), run(59_999, "agent/b"), run(60_000)], [1, 0, 1, 1]);
  });

  test("at a threshold and above it, and on no other kind", () => {
    const at = (kind: string, score: number): number =>
      planned([playbook()], [signal({ kind, score })]).length;
    assert.deepEqual([at("risk.call", 0.9), at("risk.call", 0.899), at("risk.session", 1)], [1, 0, 0]);
  });

  test("once, however many of a call's signals set it off, because of the worst", () => {
    const book = playbook({ on: { risk: { call: 0.5, session: 0.5 } } });
    const [only, ...more] = plan(
      [signal({ score: 0.6, says: "Less." }), signal({ kind: "risk.session", score: 0.8, says: "More." })],
      { playbooks: [book], memory: planMemory(), nowUnixMs: 0 },
    );
    assert.deepEqual(more, []);
    assert.equal(only?.steps[0]?.because, "It was told to. More.");
  });

  test("refusals by one caller are counted in their time, by the rule's name or the reason", () => {
    const book = playbook({
      on: { verdicts: { rules: ["no-*"], reasons: ["tool_blocked"], times: 3, within: "1m" } },
    });
    const refusals = ["no-pay", "no-mail", "tool_blocked"].map((rule) =>
      signal({ kind: rule === "tool_blocked" ? "refused" : "denied", rule }),
    );
    assert.equal(planned([book], refusals).length, 1);
    assert.equal(planned([book], refusals.slice(1)).length, 0);
    assert.equal(planned([book], refusals, { everyMs: 31_000 }).length, 0, "not within a minute");
    const others = refusals.map((each, index) => ({
      ...each,
      about: { ...about, caller: `agent/${index}` },
    }));
    assert.equal(planned([book], others).length, 0, "of three callers");
    assert.equal(
      planned([book], [...refusals.slice(1), signal({ kind: "denied", rule: "other" })]).length,
      0,
    );
  });

  test("calls of one tool by one caller are counted in their time", () => {
    const book = playbook({ on: { rate: { calls: 2, per: "1m" } } });
    const call = signal({ kind: "call" });
    assert.equal(planned([book], [call, call]).length, 0);
    assert.equal(planned([book], [call, call, call]).length, 1);
    assert.equal(
      planned([book], [call, call, signal({ kind: "call", about: { ...about, tool: "list" } })]).length,
      0,
    );
  });

  test("calls of one tool are counted whatever names are invented between them", () => {
    const book = playbook({ on: { rate: { calls: 2, per: "1m" } } });
    const call = signal({ kind: "call" });
    const invented = Array.from({ length: 300 }, (_, index) =>
      signal({ kind: "call", about: { ...about, tool: `none-${index}` } }),
    );
    const first = planned([book], [call, ...invented.slice(0, 150), call, ...invented.slice(150), call]);
    assert.deepEqual(scopes(first), [{ caller: "agent/a", server: "bank", tool: "pay" }]);
    const last = planned([book], [...invented, call]);
    assert.deepEqual(scopes(last), [{ caller: "agent/a", server: "bank", tool: "pay" }]);
    const memory = planMemory();
    planned([book], invented, { memory });
    const later = { playbooks: [book], memory, nowUnixMs: 120_000 };
    assert.deepEqual(plan([call], later), [], "what is over makes room");
  });

  test("its condition reads the signal, and the call where there is one; one that errs doesn't keep it from running", () => {
    const run = (when: string, facts?: Readonly<Record<string, unknown>>): number =>
      plan([signal()], {
        playbooks: [playbook({ when })],
        memory: planMemory(),
        nowUnixMs: 0,
        ...(facts && { facts: () => facts }),
      }).length;
    const facts = { call: { server: "bank" }, args: {} };
    assert.equal(run('signal.caller == "agent/a" && signal.score > 0.9'), 1);
    assert.equal(run('signal.caller == "agent/b"'), 0);
    assert.equal(run('call.server == "bank"', facts), 1);
    assert.equal(run('call.server == "shop"', facts), 0);
    assert.equal(run("args.amount > 1", facts), 1, "there is no such argument");
    assert.equal(run("args.amount > 1"), 1, "nothing is known of the call any more");
  });
});

/** Any signals of a few callers, servers and tools, whatever they say. */
function signals(seed: number, count: number): readonly Signal[] {
  const random = seededRandom(seed);
  const one = <T>(from: readonly [T, ...T[]]): T => from[Math.floor(random() * from.length)] ?? from[0];
  return Array.from({ length: count }, () =>
    signal({
      kind: one([
        "risk.call",
        "risk.session",
        "finding secret",
        "answer told.override",
        "denied",
        "call",
        "regression",
      ]),
      score: random(),
      evidence: one(["proven", "proven", "unproven"]),
      about: {
        caller: one(["agent/a", "agent/a", "agent/a", "agent/b"]),
        ...(random() < 0.7 && { session: one(["s1", "s2"]) }),
        ...(random() < 0.9 && { server: one(["bank", "shop"]) }),
        ...(random() < 0.8 && { tool: one(["pay", "list"]) }),
      },
    }),
  );
}

const everything = stepScopes.map((of) =>
  playbook({
    name: of.replace("_", "-"),
    on: {
      risk: { call: 0.05, session: 0.05 },
      findings: ["*"],
      answers: ["*"],
      regression: "low",
      verdicts: {},
    },
    cool_down: "1s",
    steps: [{ do: "quarantine", of }],
  }),
);

test("one agent, whatever is found of it, takes nothing from others: without another's evidence each step is about it alone", () => {
  for (let seed = 0; seed < 200; seed += 1) {
    const memory = planMemory();
    for (const [index, each] of signals(seed, 60).entries()) {
      const { about: seen } = each;
      const only = { ...each, about: { ...seen, caller: "agent/a" } };
      for (const scope of scopes(plan([only], { playbooks: everything, memory, nowUnixMs: index * 2000 })))
        assert.equal(scope.caller, "agent/a", `seed ${seed}`);
    }
  }
});

test("a step that is about everybody's use has the evidence of two callers, both proven, against that very tool or server", () => {
  for (let seed = 0; seed < 200; seed += 1) {
    const memory = planMemory();
    const before: Signal[] = [];
    for (const [index, each] of signals(seed, 60).entries()) {
      before.push(each);
      for (const scope of scopes(plan([each], { playbooks: everything, memory, nowUnixMs: index * 2000 }))) {
        if (scope.caller !== undefined) {
          assert.equal(scope.caller, each.about.caller);
          continue;
        }
        const against = before.filter(
          ({ about: seen, evidence }) =>
            evidence === "proven" &&
            seen.server === scope.server &&
            (scope.tool === undefined || seen.tool === scope.tool),
        );
        assert.equal(new Set(against.map(({ about: seen }) => seen.caller)).size, 2, `seed ${seed}`);
      }
    }
  }
});

test("on evidence that nobody has proven nothing is done, of whatever kind it is", () => {
  for (const each of signals(7, 500))
    assert.deepEqual(planned(everything, [{ ...each, evidence: "unproven" }]), []);
});

test("who makes many names of tools and callers neither makes memory grow nor pushes out others' evidence", () => {
  const book = playbook({ steps: [{ do: "quarantine", of: "tool" }] });
  const memory = planMemory();
  plan([signal({ about: { ...about, caller: "agent/b" } })], { playbooks: [book], memory, nowUnixMs: 0 });
  for (let index = 0; index < 5000; index += 1)
    plan([signal({ about: { ...about, tool: `pay-${index}` } })], {
      playbooks: [book],
      memory,
      nowUnixMs: 1,
    });
  const plans = plan([signal()], { playbooks: [book], memory, nowUnixMs: 2 });
  assert.deepEqual(scopes(plans), [{ server: "bank", tool: "pay" }]);
});
