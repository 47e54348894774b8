import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { EntryDraft } from "../../model/entry.ts";
import { alertBudget } from "./alert-budget.ts";
import { IncidentWatch } from "./incident-watch.ts";
import { storyOf } from "./story.ts";
import type { Suppression } from "./suppression.ts";

const hourMs = 3_600_000;
let ids = 0;

function agent(name: string): string {
  return `spiffe://example.org/agent/${name}`;
}

function watching(perDay = 20): IncidentWatch {
  const budget = alertBudget({ perDay, falseShare: 0.1, leastScore: 0.6 });
  return new IncidentWatch({ budget, leastScore: 0.6, quietMs: hourMs, newId: () => `i${ids++}` });
}

function entry(
  event: EntryDraft["event"],
  { caller = "a", ...over }: Partial<EntryDraft> & { readonly caller?: string },
): EntryDraft {
  const callId = `c${ids++}`;
  const facts = {};
  return {
    event,
    atUnixMs: 0,
    callId,
    principal: agent(caller),
    tool: null,
    outcome: "allowed",
    facts,
    ...over,
  };
}

interface Called {
  readonly caller?: string;
  readonly session?: string;
  readonly tool?: string;
  readonly risk?: number;
  readonly source?: string;
  readonly findings?: string;
  readonly outcome?: EntryDraft["outcome"];
}

function call({ caller = "a", session = "s", tool = "bank/pay", risk, source, findings, outcome }: Called) {
  const [server = ""] = tool.split("/");
  const facts = {
    server,
    session,
    ...(risk !== undefined && { risk: risk.toFixed(3), "risk.because": "It stood in a page." }),
    ...(source !== undefined && { "risk.source": source }),
    ...(findings !== undefined && { findings }),
    ...(outcome === "denied" && { rule: "no" }),
  };
  return entry("call.decision", { caller, tool, facts, ...(outcome && { outcome }) });
}

function answer(found: string, tool = "web/read", caller = "a", session = "s"): EntryDraft {
  const [server = ""] = tool.split("/");
  return entry("call.outcome", { caller, tool, facts: { server, session, answer_findings: found } });
}

function seen(watch: IncidentWatch, entries: readonly EntryDraft[], nowUnixMs = 0) {
  for (const each of entries) watch.see(each, nowUnixMs);
  return [...watch.open.values()];
}

describe("what has one cause is one incident", () => {
  const grouped: readonly (readonly [string, readonly EntryDraft[], number])[] = [
    [
      "a session's calls, whatever tools they go to",
      [call({ risk: 0.7 }), call({ risk: 0.7, tool: "mail/send" })],
      1,
    ],
    [
      "a caller's calls of a tool, over its sessions",
      [call({ risk: 0.7 }), call({ risk: 0.7, session: "t" })],
      1,
    ],
    [
      "what came from one source, whoever read it",
      [
        call({ risk: 0.7, source: "web/read" }),
        call({ caller: "b", risk: 0.7, source: "web/read", tool: "x/y" }),
      ],
      1,
    ],
    [
      "the same finding at the same tool, of several callers",
      [call({ findings: "secret=a" }), call({ caller: "b", findings: "secret=a" })],
      1,
    ],
    [
      "one burst on both hops",
      [
        entry("flow.finding", {
          facts: { kind: "flow.exfiltration-burst", severity: "high", direction: "incoming" },
        }),
        entry("flow.finding", {
          principal: "bank",
          facts: { kind: "flow.exfiltration-burst", severity: "high", direction: "outgoing" },
        }),
      ],
      1,
    ],
    [
      "tools of one server that changed",
      ["pay", "list"].map((tool) =>
        entry("tools.finding", { tool: `bank/${tool}`, facts: { server: "bank", kind: "changed" } }),
      ),
      1,
    ],
    [
      "callers who do different things at different places are apart",
      [call({ risk: 0.7 }), call({ caller: "b", risk: 0.7, tool: "mail/send" })],
      2,
    ],
    [
      "what anybody could have made up leads to nobody else's",
      [
        call({ risk: 0.7 }),
        entry("link.regressed", {
          facts: { regressions: "group_lost:high", direction: "incoming", evidence: "unproven" },
        }),
      ],
      2,
    ],
    ["what is worth little is none", [call({ findings: "personal.email=a" }), call({ risk: 0.59 })], 0],
  ];
  for (const [title, entries, incidents] of grouped)
    test(title, () => assert.equal(seen(watching(), entries).length, incidents));

  test("what was seen of the session before, and done about it already, is part of the story", () => {
    const watch = watching();
    const shown = call({ risk: 0.7, source: "web/read" });
    const act = entry("response.act", {
      facts: { action: "read_only", caller: agent("a"), session: "s", cause: shown.callId, by: "playbook:x" },
    });
    const [incident] = seen(watch, [call({ risk: 0 }), answer("told.override=result"), act, shown]);
    assert.ok(incident);
    assert.deepEqual(
      incident.timeline.map(({ kind }) => kind),
      ["answer told.override", "risk.call"],
    );
    const story = storyOf(incident);
    assert.equal(
      story.title,
      `${agent("a")} made a call that something it had read seems to have asked for (bank/pay), after reading web/read`,
    );
    assert.equal(story.done, "read_only, by playbook:x");
    assert.equal(story.normal, "Before, 1 call of this caller in an hour or less: none was odd.");
    assert.ok(incident.score > 0.7, "two families say more than one");
  });

  test("it is over after an hour in which nothing was added, and what comes then is another", () => {
    const watch = watching();
    seen(watch, [call({ risk: 0.7 })]);
    assert.deepEqual(watch.quiet(hourMs - 1), []);
    assert.equal(watch.quiet(hourMs).length, 1);
    assert.equal(seen(watch, [{ ...call({ risk: 0.7 }), atUnixMs: hourMs }], hourMs).length, 1);
  });

  test("twenty denials within ten minutes are one incident, nineteen are none", () => {
    const denials = Array.from({ length: 40 }, (_, i) => call({ tool: `vault/${i}`, outcome: "denied" }));
    const watch = watching();
    assert.equal(seen(watch, denials.slice(0, 19)).length, 0);
    assert.equal(seen(watch, denials.slice(19)).length, 1);
  });

  test("nothing names a caller that was erased", () => {
    const watch = watching();
    seen(watch, [call({ risk: 0.7 })]);
    watch.forget([agent("a")]);
    assert.doesNotMatch(JSON.stringify([...watch.open.values()]), /agent\/a/);
  });
});

describe("what is suppressed", () => {
  const suppression: Suppression = {
    id: "x",
    kind: "risk.call",
    caller: agent("a"),
    untilUnixMs: 10,
    because: "Known.",
    by: "operator:o",
    sinceUnixMs: 0,
  };
  const cases: readonly (readonly [string, Partial<Suppression>, EntryDraft, number, number])[] = [
    ["makes no incident", {}, call({ risk: 0.7 }), 0, 0],
    ["is so until its time is over", {}, call({ risk: 0.7 }), 10, 1],
    ["is of that caller", {}, call({ risk: 0.7, caller: "b" }), 0, 1],
    ["is of that kind", {}, call({ findings: "secret=a" }), 0, 1],
    ["is of that tool", { tool: "bank/list" }, call({ risk: 0.7 }), 0, 1],
    ["is of that source", { source: "web/read" }, call({ risk: 0.7, source: "mail/read" }), 0, 1],
    ["is never a call that can't be undone", {}, call({ risk: 0.7, findings: "destructive=tool" }), 0, 1],
  ];
  for (const [title, over, draft, atUnixMs, incidents] of cases)
    test(title, () => {
      const watch = watching();
      watch.suppress([{ ...suppression, ...over }]);
      assert.equal(seen(watch, [draft], atUnixMs).length, incidents);
    });
});

describe("a flood", () => {
  test("hides no attack: beyond the budget a model's findings are one incident more, and a rule's come as ever", () => {
    const watch = watching(3);
    const odd = (n: number): EntryDraft =>
      call({ caller: `n${n}`, session: `s${n}`, tool: `x${n}/y`, risk: 0.65 });
    const held = Array.from({ length: 50 }, (_, n) => watch.see(odd(n), 0).heldBack).flat();
    assert.equal(held.length, 47);
    assert.equal(watch.open.size, 4);
    const attack = call({ caller: "evil", session: "e", tool: "bank/pay", risk: 0.7 });
    watch.see(attack, 0);
    const together = [...watch.open.values()].find(({ callers }) => callers.length > 1);
    assert.equal(together?.timeline.at(-1)?.callId, attack.callId);
    assert.match(together.title, /^\d+ callers made a call/);
    const [opened] = watch.see(call({ caller: "leak", session: "l", findings: "secret=a" }), 0).opened;
    assert.match(opened?.title ?? "", /sent a key/);
  });

  test("of thousands of distinct findings of rules costs bounded memory, and the next one still comes", () => {
    const watch = watching();
    for (let n = 0; n < 5000; n++)
      watch.see(call({ caller: `n${n}`, session: `s${n}`, tool: `x${n}/y`, findings: "secret=a" }), 0);
    assert.ok(watch.open.size <= 513, String(watch.open.size));
    const last = entry("tools.finding", { tool: "bank/pay", facts: { server: "bank", kind: "changed" } });
    assert.equal(watch.see(last, 0).opened.length, 1);
    assert.ok(JSON.stringify([...watch.open.values()]).length < 2_000_000);
  });

  test("of one caller, with ever new sessions and tools, is five incidents and one more, and takes no room from others", () => {
    const watch = watching();
    const noise = (n: number): EntryDraft =>
      call({
        caller: "noisy",
        session: `s${n}`,
        tool: `x${n}/y`,
        ...(n % 2 ? { risk: 0.9 } : { findings: "secret=a" }),
      });
    for (let n = 0; n < 700; n++) watch.see(noise(n), 0);
    assert.equal(watch.open.size, 6);
    const last = [...watch.open.values()].at(-1);
    assert.equal(last?.findings, 695);
    assert.match(last.title, /^spiffe:.*noisy .*, and much else$/);
    const risky = watch.see(call({ caller: "evil", session: "e", risk: 0.7 }), 0);
    assert.deepEqual([risky.opened.length, risky.heldBack.length], [1, 0], "the day's budget isn't used up");
    assert.equal(watch.open.size, 7);
  });

  test("pushes nobody else's line out of an incident of many: the busiest caller's go", () => {
    const watch = watching();
    const one = (caller: string, n: number): EntryDraft =>
      call({ caller, session: `${caller}${n}`, tool: "bank/pay", findings: "secret=a" });
    for (let n = 0; n < 25; n++) watch.see(one("noisy", n), 0);
    const quiet = one("quiet", 0);
    watch.see(quiet, 0);
    for (let n = 25; n < 300; n++) watch.see(one("noisy", n), 0);
    const [incident, ...others] = watch.open.values();
    assert.equal(others.length, 0);
    assert.equal(incident?.timeline.length, 40);
    assert.ok(incident.timeline.some(({ callId }) => callId === quiet.callId));
  });
});
