/** What is said of single things: how somebody gets in, what flows, who could act for whom, and how it is drawn. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { possibleLinks } from "../check/possible-facts.ts";
import { type PolicyDocument, policySchema } from "../rules.ts";
import { nothingSaid } from "../surroundings.ts";
import { graphOf } from "./graph.ts";
import type { Narrowed } from "./known-facts.ts";
import { type Reach, type ReachWorld, reachOf } from "./reach.ts";

const links = possibleLinks.filter(({ certificate }) => certificate !== undefined);
const hybrid = links.filter(({ isPostQuantum }) => isPostQuantum);
const reads = { onlyReads: true };
const writes = { onlyReads: false };
const year = 365.25 * 86_400_000;

const world: ReachWorld = {
  surroundings: {
    ...nothingSaid,
    networks: { corporate: ["10.0.0.0/8"] },
    labels: {
      web: { untrusted_web: ["fetch"] },
      mail: { egress: ["send", "export_all"], pii: ["export_all"] },
    },
    data: [
      { name: "health", shelfLifeMs: 30 * year, tools: ["ehr/get*"] },
      { name: "order", shelfLifeMs: year, tools: ["ehr/*", "shop/list"] },
    ],
  },
  servers: [
    { name: "ehr", tools: new Map([["get_record", reads]]), readOnly: [] },
    {
      name: "mail",
      tools: new Map([
        ["send", writes],
        ["export_all", reads],
      ]),
      readOnly: [],
    },
    { name: "shop", tools: new Map([["list", reads]]), readOnly: [] },
    { name: "web", tools: new Map([["fetch", reads]]), readOnly: [] },
  ],
  linksTo: () => hybrid,
  actsForOthers: true,
  lends: true,
};

const rule = (parts: object): PolicyDocument =>
  policySchema.parse({ name: "r", callers: ["*"], effect: "allow", because: "A test says so.", ...parts });

const me = "spiffe://acme.test/agent/a";
function reach(parts: readonly object[], narrowed: Narrowed = {}, around: Partial<ReachWorld> = {}): Reach {
  const documents = parts.map((part, at) => rule({ name: `r${at}`, ...part }));
  const caller = { id: me, issuer: "acme.test", isWorkload: true };
  return reachOf({ caller, narrowed }, documents, { ...world, ...around });
}
const verdicts = ({ targets }: Reach): readonly string[] =>
  targets.map(({ server, name, verdict }) => `${server}/${name} ${verdict}`);

test("conditions that exclude each other, or the caller, leave nothing within reach", () => {
  const rows: readonly (readonly object[])[] = [
    [{ tools: ["web/fetch"], when: 'caller.id == "spiffe://acme.test/agent/b"' }],
    [{ tools: ["web/fetch"], when: "time.hour >= 22 && time.hour < 6" }],
    [
      { tools: ["web/fetch"], when: "time.hour < 6" },
      { tools: ["web/*"], when: "time.hour < 8", effect: "deny" },
    ],
    [{ tools: ["web/fetch"], link: { pq: false } }],
    [
      { tools: ["web/fetch"] },
      { tools: ["*"], effect: "read_only", mode: "shadow" },
      { tools: ["*"], effect: "cut" },
    ],
    [{ tools: ["mail/send"] }, { tools: ["mail/*"], effect: "read_only" }],
    [{ tools: ["web/fetch"], mode: "shadow" }],
    [
      { tools: ["web/fetch"], on_behalf_of: ["*"] },
      { tools: ["web/*"], on_behalf_of: ["*"], effect: "deny" },
    ],
  ];
  for (const rules of rows) assert.deepEqual(verdicts(reach(rules)), [], JSON.stringify(rules));
});

test("of a condition only that is told which is left to decide", () => {
  const when =
    'caller.kind == "workload" && (tool.read_only ? "corporate" in place.networks : args.n > 5) || link.level == 0';
  const [first] = reach([{ tools: ["web/fetch"], when }]).targets[0]?.ways ?? [];
  assert.deepEqual(
    first?.conditions.map(({ says }) => says),
    ['"corporate" in place.networks'],
  );
  assert.deepEqual(verdicts(reach([{ tools: ["web/fetch"], when }], { address: "10.1.2.3" })), [
    "web/fetch allowed",
  ]);
  assert.deepEqual(verdicts(reach([{ tools: ["web/fetch"], when }], { address: "192.0.2.1" })), []);
  const at = { tools: ["web/fetch"], when: "time.hour < 6 && now < timestamp('2030-01-01T00:00:00Z')" };
  assert.deepEqual(verdicts(reach([at], { atUnixMs: Date.UTC(2026, 5, 3, 3) })), ["web/fetch allowed"]);
  assert.deepEqual(verdicts(reach([at], { atUnixMs: Date.UTC(2026, 5, 3, 12) })), []);
});

test("what may err allows nothing for sure, and restricts what it may", () => {
  const rows: readonly (readonly [readonly object[], readonly string[]])[] = [
    [[{ tools: ["web/fetch"], when: "args.flag ? true : true" }], ["web/fetch allowed if"]],
    [[{ tools: ["web/fetch"], when: 'caller.claims.role == "x"' }], []],
    [[{ tools: ["web/*"] }, { tools: ["web/fetch"], effect: "deny", when: 'caller.claims.role == "x"' }], []],
    [
      [
        { tools: ["web/fetch"] },
        { tools: ["web/*"], effect: "hold", when: 'args.a && caller.claims.role == "x"' },
      ],
      ["web/fetch allowed if"],
    ],
    [
      [
        { tools: ["web/fetch"] },
        { tools: ["web/*"], effect: "deny", when: 'args.a || caller.claims.role == "x"' },
      ],
      [],
    ],
  ];
  for (const [rules, expected] of rows)
    assert.deepEqual(
      verdicts(reach(rules)).filter((each) => !each.includes("*")),
      expected,
      JSON.stringify(rules),
    );
});

test("who approves, what is to be signed, which link it takes and what is taken out is told with its rule", () => {
  const { targets } = reach([
    { tools: ["mail/send"] },
    {
      tools: ["mail/*"],
      effect: "hold",
      when: "size(args.to) > 1",
      approval: { approvers: 2, from: ["person:ann", "person:bob"] },
    },
    {
      tools: ["mail/*"],
      effect: "step_up",
      step_up: { signature: { algorithm: "ML-DSA-87", max_age: "30s" } },
    },
    { tools: ["mail/*"], effect: "step_up", step_up: { link: { min_level: 5 } } },
    { tools: ["mail/*"], effect: "redact", redact: { arguments: ["/ssn"] } },
  ]);
  const [signed, held] = targets[0]?.ways ?? [];
  assert.deepEqual(
    [signed?.level, signed?.link, signed?.signatures, signed?.conditions.map(({ says }) => says)],
    [
      "step_up",
      "a link of level 5 at least",
      [{ rule: "r2", says: "ML-DSA-87, no older than 30 s" }],
      ["!(size(args.to) > 1)"],
    ],
  );
  assert.deepEqual(held?.approvals, [{ rule: "r1", approvers: 2, from: ["person:ann", "person:bob"] }]);
  assert.deepEqual(held?.redactions, [{ rule: "r4", arguments: ["/ssn"], answer: [], isSure: true }]);
  assert.equal(targets[0]?.verdict, "step-up");
});

test("a pattern stands for what nobody knows by name, and depends on what other patterns say of some of it", () => {
  const { targets, summary } = reach([
    { tools: ["ehr/*"], resources: ["ehr/patient/*"] },
    { tools: ["ehr/delete*", "ehr/drop"], effect: "deny" },
  ]);
  assert.deepEqual(
    targets.map(({ kind, name, isPattern, besides, ways: [way] }) => [
      kind,
      name,
      isPattern,
      besides,
      way?.conditions.map(({ says }) => says),
    ]),
    [
      ["tools", "get_record", false, [], []],
      ["tools", "*", true, ["drop", "get_record"], ["it is none of ehr/delete*, ehr/drop"]],
      ["resources", "patient/*", true, [], []],
    ],
  );
  assert.deepEqual([summary.pinnedTools, summary.knownTools, summary.patterns], [1, 5, 2]);
});

test("rules about connections and links keep out, or say what it takes to get in", () => {
  const open = { tools: ["web/fetch"] };
  const only = (parts: object): Reach => reach([open, { ...parts, effect: "deny" }]);
  const connection = reach([open]).entry;
  assert.deepEqual([connection.conditions, connection.shutBy], [[], []]);
  const shut = only({ on: "link", link: { min_level: 0 } });
  assert.deepEqual([shut.targets, shut.entry.shutBy], [[], ["r1"]]);
  const weak = only({ on: "link", link: { max_level: 3 } });
  assert.deepEqual(verdicts(weak), ["web/fetch allowed"]);
  assert.ok(weak.entry.links.length > 0 && weak.entry.links.every(({ level }) => level === 5));
  const knock = reach([open], {}, {});
  assert.equal(knock.entry.links.length, hybrid.length);
  const documents = [
    rule({ name: "allow", ...open }),
    policySchema.parse({
      on: "connection",
      name: "ours",
      when: '!("corporate" in place.networks) || !hello.pq',
      effect: "deny",
      because: "A test says so.",
    }),
  ];
  const asked = { caller: { id: me, issuer: "acme.test", isWorkload: true } };
  const said = reachOf({ ...asked, narrowed: {} }, documents, world).entry.conditions.map(({ says }) => says);
  assert.deepEqual(said, ['!(!("corporate" in place.networks) || !hello.pq)']);
  const near = reachOf({ ...asked, narrowed: { address: "10.0.0.9" } }, documents, world).entry;
  assert.deepEqual(
    near.conditions.map(({ says }) => says),
    ["hello.pq"],
  );
  const far = reachOf({ ...asked, narrowed: { address: "192.0.2.9" } }, documents, world);
  assert.deepEqual([far.targets, far.entry.shutBy], [[], ["ours"]]);
});

test("flows lead from labelled or classified data to what sends or may write, the shortest and worst first", () => {
  const { flows, summary } = reach([
    { tools: ["*/*"], callers: ["spiffe://acme.test/agent/b"] },
    { tools: ["ehr/get_record", "shop/list", "web/fetch", "mail/export_all"] },
    { tools: ["mail/send"], when: "size(args.to) < 5" },
    { tools: ["ehr/*"], effect: "redact", redact: { answer: ["/ssn"] } },
  ]);
  assert.deepEqual(
    flows.worst.map(({ what, from, to, isOneCall, acrossServers, out, verdict, redactedBy }) => [
      `${what.join(" ")}: ${from.server}/${from.name} ${to.server}/${to.name}`,
      [isOneCall ? 1 : 2, acrossServers, out, verdict, ...redactedBy].join(" "),
    ]),
    [
      ["pii: mail/export_all mail/export_all", "1 false sends allowed"],
      ["health: ehr/get_record mail/export_all", "2 true sends allowed r3"],
      ["order: shop/list mail/export_all", "2 true sends allowed"],
      ["untrusted_web: web/fetch mail/export_all", "2 true sends allowed"],
      ["health: ehr/get_record mail/send", "2 true sends allowed if r3"],
      ["order: shop/list mail/send", "2 true sends allowed if"],
      ["untrusted_web: web/fetch mail/send", "2 true sends allowed if"],
      ["pii: mail/export_all mail/send", "2 false sends allowed if"],
    ],
  );
  assert.equal(flows.count, flows.worst.length);
  const { tools, writing, secret, free, ownChoice, held } = summary;
  assert.deepEqual([tools, writing, secret, free, ownChoice, held], [5, 1, 2, 4, 1, 0]);
});

// The pattern for whatever else there is may send, too.
test("of many flows the worst are named and all are counted", () => {
  const many = Array.from({ length: 400 }, (_, at) => [`t${at}`, writes] as const);
  const servers = [{ name: "mail", tools: new Map(many), readOnly: [] }];
  const surroundings = { ...world.surroundings, data: [{ name: "x", shelfLifeMs: 1, tools: ["mail/*"] }] };
  const { flows } = reach([{ tools: ["mail/*"] }], {}, { servers, surroundings });
  assert.deepEqual([flows.worst.length, flows.count], [200, 401 * 400 + 1]);
});

test("what ends with the caller isn't lent, and who could act for it is named by rule", () => {
  const { lending } = reach([
    { tools: ["web/fetch"] },
    { tools: ["mail/send"], delegated: "never" },
    {
      tools: ["web/*"],
      callers: ["spiffe://acme.test/agent/w"],
      on_behalf_of: ["spiffe://acme.test/agent/*"],
    },
    {
      tools: ["web/*"],
      callers: ["spiffe://acme.test/agent/v"],
      on_behalf_of: ["spiffe://acme.test/agent/z"],
    },
    { tools: ["shop/list"], callers: [me], on_behalf_of: ["oauth:corp/user/*"] },
  ]);
  assert.deepEqual(lending, {
    lends: true,
    lendable: ["tools shop/list", "tools web/fetch"],
    never: ["r1"],
    actors: [
      { rule: "r0", callers: ["*"], targets: 1, isOnBehalf: false },
      { rule: "r2", callers: ["spiffe://acme.test/agent/w"], targets: 1, isOnBehalf: true },
    ],
    actsFor: [{ rule: "r4", callers: ["oauth:corp/user/*"] }],
  });
  const alone = reach(
    [{ tools: ["web/fetch"], on_behalf_of: ["*"] }],
    {},
    { actsForOthers: false, lends: false },
  );
  assert.deepEqual([alone.targets, alone.lending.lendable], [[], []]);
});

test("names that others chose don't break out of a graph", () => {
  const name = 'a"]; evil --> b %% <b>#\n\u001b';
  const servers = [{ name: "web", tools: new Map([[name, reads]]), readOnly: [] }];
  const drawn = reach([{ tools: ["web/*"] }], {}, { servers });
  const mermaid = graphOf(drawn, "mermaid");
  assert.ok(mermaid.includes('  t0["a#34;]; evil --#62; b %% #60;b#62;#35;??"]'), mermaid.join("\n"));
  const dot = graphOf(drawn, "dot");
  assert.ok(dot.includes('  t0 [shape=box, label="a\\"]; evil --> b %% <b>#??"];'), dot.join("\n"));
});
