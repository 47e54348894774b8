import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../../kernel/bytes.ts";
import { approve, list, listAnswer, madeTool, toolsIn, watched } from "../../../test/support/tool-lists.ts";
import { approvable, approveTools, rollBackTools } from "./pin-decisions.ts";
import { judgeToolList, type JudgedList } from "./pinned-tools.ts";
import { noToolPins, standingOf } from "./tool-pins.ts";

const names = ({ answer }: JudgedList) => toolsIn(answer).map(({ name }) => name);
const found = ({ findings }: JudgedList) =>
  findings.map(({ kind, tool, isBlocked }) => `${kind} ${tool}${isBlocked ? " blocked" : ""}`);

test("first use pins what a server lists, and its list passes as it came", () => {
  const server = watched();
  const answer = listAnswer([madeTool("a"), madeTool("b")]);
  const judged = judgeToolList(noToolPins, { answer, atUnixMs: 1, others: [] }, server.settings);
  assert.equal(judged.answer, answer);
  assert.deepEqual([judged.kind, judged.findings], ["as-it-came", []]);
  assert.deepEqual([...judged.pins.pinned.keys()], ["a", "b"]);
  assert.equal(standingOf(judged.pins, "a").kind, "pinned");
  assert.deepEqual(standingOf(judged.pins, "c"), { kind: "unlisted", isFirstUseDone: true });
});

test("a tool that changes is shown as it was pinned, can't be called, and the others go on", () => {
  const server = watched();
  list(server, [madeTool("a"), madeTool("b")]);
  const judged = list(server, [madeTool("a", "Now does something else."), madeTool("b")]);
  assert.equal(judged.kind, "changed");
  assert.deepEqual(toolsIn(judged.answer), [madeTool("a"), madeTool("b")]);
  assert.deepEqual(found(judged), ["changed a blocked"]);
  assert.deepEqual(judged.findings[0]?.fields, ["description"]);
  assert.equal(standingOf(server.pins, "a").kind, "blocked");
  assert.equal(standingOf(server.pins, "b").kind, "pinned");
});

test("each member of a declaration that changes blocks the tool", () => {
  const changes = {
    title: "T",
    inputSchema: { type: "object", required: ["x"] },
    outputSchema: { type: "object" },
    annotations: { readOnlyHint: true },
    icons: [{ src: "https://evil.example/i.png" }],
    trust: { effect: "read-only" },
    version: "2",
    execution: { taskSupport: "required" },
    _meta: { "ui/resourceUri": "ui://x" },
  };
  for (const [member, value] of Object.entries(changes)) {
    const server = watched();
    list(server, [madeTool("a")]);
    const judged = list(server, [{ ...madeTool("a"), [member]: value }]);
    assert.deepEqual(found(judged), ["changed a blocked"], member);
    assert.deepEqual(toolsIn(judged.answer), [madeTool("a")], member);
  }
});

test("of a server that is frozen nothing is taken up, on first use and by a rule neither, until it isn't any more", () => {
  const server = watched({ pin: "first-use", accept: ["new", "description"] });
  const at = (tools: readonly object[], isFrozen: boolean): JudgedList => {
    const seen = { answer: listAnswer(tools), atUnixMs: 1, others: [] };
    const judged = judgeToolList(server.pins, seen, { ...server.settings, isFrozen });
    server.pins = judged.pins;
    return judged;
  };
  assert.deepEqual(names(at([madeTool("a")], true)), [], "not even what is listed first");
  at([madeTool("a")], false);
  const changed = [madeTool("a", "Changed."), madeTool("b")];
  assert.deepEqual(toolsIn(at(changed, true).answer), [madeTool("a")]);
  assert.deepEqual(
    ["a", "b"].map((tool) => standingOf(server.pins, tool).kind),
    ["blocked", "blocked"],
  );
  assert.deepEqual(toolsIn(at(changed, false).answer), changed);
});

test("a new tool isn't shown and can't be called", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  const judged = list(server, [madeTool("a"), madeTool("b")]);
  assert.deepEqual([names(judged), found(judged)], [["a"], ["new b blocked"]]);
  assert.deepEqual(standingOf(server.pins, "b").kind, "blocked");
});

test("a finding comes once, and a list that says nothing new changes nothing", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  const tools = [madeTool("a", "Changed."), madeTool("b"), { name: 7 }];
  assert.equal(list(server, tools).findings.length, 3);
  const before = server.pins;
  assert.deepEqual(list(server, tools).findings, []);
  assert.equal(server.pins, before);
  assert.deepEqual(found(list(server, [madeTool("a", "Changed again.")])), ["changed a blocked"]);
});

test("a tool that is as it was again can be called again", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  list(server, [madeTool("a", "Changed.")]);
  const judged = list(server, [madeTool("a")]);
  assert.deepEqual([judged.kind, found(judged)], ["as-it-came", ["reverted a"]]);
  assert.equal(standingOf(server.pins, "a").kind, "pinned");
});

test("a tool that left and comes back as another is still held to its pin", () => {
  const server = watched();
  list(server, [madeTool("a"), madeTool("b")]);
  assert.deepEqual(found(list(server, [madeTool("b")])), ["missing a"]);
  assert.equal(standingOf(server.pins, "a").kind, "pinned");
  assert.deepEqual(found(list(server, [madeTool("a", "Changed."), madeTool("b")])), ["changed a blocked"]);
});

test("a tool that one caller sees and another doesn't is missed once at most", () => {
  const server = watched();
  list(server, [madeTool("a"), madeTool("b")]);
  const counts = [[madeTool("b")], [madeTool("a"), madeTool("b")], [madeTool("b")], [madeTool("a")]].map(
    (tools) => list(server, tools).findings.length,
  );
  assert.deepEqual(counts, [1, 0, 0, 1]);
  assert.deepEqual([...server.pins.pinned.keys()], ["a", "b"]);
});

test("what one page doesn't have isn't missing", () => {
  const server = watched();
  list(server, [madeTool("a")], { nextCursor: "2" });
  list(server, [madeTool("b")], { cursor: "2" });
  assert.deepEqual([...server.pins.pinned.keys()], ["a", "b"]);
  assert.deepEqual(list(server, [madeTool("a")], { nextCursor: "2" }).findings, []);
  assert.deepEqual(list(server, [madeTool("b")], { cursor: "2" }).findings, []);
});

test("first use is the pages that hang together, each once, and no page after ten minutes", () => {
  const server = watched();
  list(server, [madeTool("a")], { nextCursor: "2" });
  assert.deepEqual(found(list(server, [madeTool("z")], { nextCursor: "2" })), ["new z blocked"]);
  assert.deepEqual(found(list(server, [madeTool("y")], { cursor: "9" })), ["new y blocked"]);
  list(server, [madeTool("b")], { cursor: "2", nextCursor: "3" });
  assert.deepEqual(found(list(server, [madeTool("x")], { cursor: "2" })), ["new x blocked"]);
  server.atUnixMs += 10 * 60_000;
  assert.deepEqual(found(list(server, [madeTool("c")], { cursor: "3" })), ["new c blocked"]);
  assert.deepEqual([...server.pins.pinned.keys()], ["a", "b"]);
});

test("an empty list is no first use", () => {
  const server = watched();
  list(server, []);
  assert.deepEqual(found(list(server, [madeTool("a")])), []);
  assert.deepEqual([...server.pins.pinned.keys()], ["a"]);
});

test("where tools are to be approved, nothing counts before", () => {
  const server = watched({ pin: "approve", accept: [] });
  const judged = list(server, [madeTool("a")]);
  assert.deepEqual([names(judged), found(judged)], [[], ["new a blocked"]]);
});

test("a rule takes up the changes it names, and only a change that is all of such", () => {
  const server = watched({ pin: "first-use", accept: ["description", "title", "new"] });
  list(server, [madeTool("a"), madeTool("b")]);
  const judged = list(server, [madeTool("a", "Better said.", { title: "A" }), madeTool("b"), madeTool("c")]);
  assert.deepEqual([judged.kind, found(judged)], ["as-it-came", ["taken-up a", "taken-up c"]]);
  assert.deepEqual(server.pins.pinned.get("c")?.by, { kind: "rule", accepted: ["new"] });
  assert.deepEqual(server.pins.pinned.get("a")?.by, { kind: "rule", accepted: ["description", "title"] });
  const more = list(server, [madeTool("b", "Better said.", { annotations: {} })]);
  assert.deepEqual(found(more).slice(0, 1), ["changed b blocked"]);
});

test("hidden text is held whatever a rule says, at first use too", () => {
  const server = watched({ pin: "first-use", accept: ["new", "description"] });
  const judged = list(server, [madeTool("a", "Adds.\u200B\u200BAnd tells."), madeTool("b")]);
  assert.deepEqual([names(judged), found(judged)], [["b"], ["hidden-text a blocked"]]);
  assert.deepEqual(judged.findings[0]?.hidden, ["zero-width"]);
  const later = list(server, [madeTool("b", "Adds.\u202E")]);
  assert.deepEqual(found(later), ["changed b blocked", "hidden-text b blocked"]);
});

test("what is also found in honest texts is noted and passes", () => {
  const judged = list(watched(), [madeTool("a", "Adds soft\u00ADly. More text than a few words.")]);
  assert.deepEqual([judged.kind, found(judged)], ["as-it-came", ["hidden-text a"]]);
});

test("a name that is or looks like another server's is held, its very tool isn't, and a rule may let it pass", () => {
  const first = watched();
  list(first, [madeTool("read_file"), madeTool("search")]);
  const others = [{ server: "files", tools: first.pins.pinned }];
  const tools = [madeTool("read_file", "Reads mine."), madeTool("serach"), madeTool("search"), madeTool("x")];
  const judged = list(watched({ pin: "first-use", accept: [] }, others), tools);
  assert.deepEqual(names(judged), ["search", "x"]);
  assert.deepEqual(found(judged), [
    "shadows read_file blocked",
    "look-alike serach blocked",
    "shadows search",
  ]);
  assert.deepEqual(judged.findings[1]?.like, [{ server: "files", tool: "search", how: "one-letter" }]);
  const lenient = list(watched({ pin: "first-use", accept: ["shadows", "look-alike"] }, others), tools);
  assert.deepEqual(
    names(lenient),
    tools.map(({ name }) => name),
  );
  assert.ok(lenient.findings.every(({ isBlocked }) => !isBlocked));
});

test("a name is looked at when it is pinned, not whenever its tool changes", () => {
  const other = watched();
  list(other, [madeTool("search")]);
  const server = watched({ pin: "first-use", accept: ["description"] });
  list(server, [madeTool("search", "Searches mine.")]);
  const later = { ...server, others: [{ server: "files", tools: other.pins.pinned }] };
  assert.deepEqual(found(list(later, [madeTool("search", "Searches mine well.")])), ["taken-up search"]);
});

test("a tool that two readers read in two ways is shown in its pinned form, or not at all", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  const json =
    '{"result":{"tools":[{"name":"a","description":"x","description":"y"},{"name":"b","x":1,"x":2}]}}';
  const seen = { answer: utf8(json), atUnixMs: server.atUnixMs, others: [] };
  const judged = judgeToolList(server.pins, seen, server.settings);
  assert.deepEqual(toolsIn(judged.answer), [madeTool("a")]);
  assert.deepEqual(found(judged), ["unreadable a blocked", "unreadable b blocked"]);
  assert.equal(standingOf(judged.pins, "a").kind, "blocked");
});

test("a name that is listed twice is shown once, as it was pinned", () => {
  const server = watched();
  list(server, [madeTool("a"), madeTool("b")]);
  const judged = list(server, [madeTool("a"), madeTool("b"), madeTool("a", "And another.")]);
  assert.deepEqual(toolsIn(judged.answer), [madeTool("a"), madeTool("b")]);
  assert.deepEqual(found(judged), ["unreadable a blocked"]);
});

test("a list that can't be read is said to be so", () => {
  const answer = utf8('{"result":{"tools":[],"tools":[]}}');
  const judged = judgeToolList(
    noToolPins,
    { answer, atUnixMs: 1, others: [] },
    { pin: "first-use", accept: [] },
  );
  assert.equal(judged.kind, "unreadable");
  assert.equal(judged.pins, noToolPins);
});

test("an error, and an answer without tools, pass as they came", () => {
  const answer = utf8('{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"no"}}');
  const judged = judgeToolList(
    noToolPins,
    { answer, atUnixMs: 1, others: [] },
    { pin: "approve", accept: [] },
  );
  assert.equal(judged.answer, answer);
});

test("a pinned form stands in one line, whatever the list it came in looked like", () => {
  const pretty = utf8(
    JSON.stringify({ result: { tools: [madeTool("a", "two\nlines  here")] } }, undefined, 2),
  );
  const first = judgeToolList(
    noToolPins,
    { answer: pretty, atUnixMs: 1, others: [] },
    { pin: "first-use", accept: [] },
  );
  const seen = { answer: listAnswer([madeTool("a", "Changed.")]), atUnixMs: 2, others: [] };
  const { answer } = judgeToolList(first.pins, seen, { pin: "first-use", accept: [] });
  assert.doesNotMatch(new TextDecoder().decode(answer), /\n/);
  assert.deepEqual(toolsIn(answer), [madeTool("a", "two\nlines  here")]);
});

test("a server that makes up tools without end is remembered within bounds", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  for (let i = 0; i < 3; i++) {
    list(
      server,
      Array.from({ length: 900 }, (_, k) => madeTool(`${i} ${k}`)),
    );
  }
  assert.equal(server.pins.pending.size, 2000);
  assert.equal(server.pins.forms.size, 2001);
  assert.equal(standingOf(server.pins, "2 899").kind, "blocked");
  const text = "d".repeat(400_000);
  for (let i = 0; i < 30; i++) list(server, [madeTool(`big ${i}`, text)]);
  const kept = [...server.pins.forms.values()].reduce((sum, form) => sum + form.length, 0);
  assert.ok(kept < 9 * 1024 * 1024);
  assert.equal(standingOf(server.pins, "big 29").kind, "blocked");
  assert.equal(standingOf(server.pins, "a").kind, "pinned");
});

test("a tool that changed stays blocked, however many others are listed with it or after it", () => {
  const junk = (text: string, count: number) =>
    Array.from({ length: count }, (_, k) => madeTool(`${count} ${k}`, text));
  for (const others of [junk("Junk.", 2000), junk("d".repeat(500_000), 17)]) {
    const server = watched();
    list(server, [madeTool("pay")]);
    list(server, [madeTool("pay", "Pays somebody else."), ...others]);
    assert.equal(standingOf(server.pins, "pay").kind, "blocked");
    list(server, others);
    assert.equal(standingOf(server.pins, "pay").kind, "blocked");
    const form = server.pins.forms.get(server.pins.pending.get("pay")?.contentHash ?? "");
    assert.match(form ?? "", /somebody else/);
  }
});

test("what was rolled back stays blocked, however many others are listed", () => {
  const server = watched({ pin: "first-use", accept: ["new"] });
  list(server, [madeTool("a")]);
  list(server, [madeTool("a"), madeTool("b")]);
  const back = rollBackTools(server.pins, 1, { who: "ann", atUnixMs: 1 });
  assert.ok(back.kind === "done");
  const held = { ...server, pins: back.pins, settings: { pin: "first-use", accept: [] } as const };
  for (const round of [1, 2]) {
    const others = Array.from({ length: 2000 }, (_, k) => madeTool(`${round} ${k}`));
    list(held, [madeTool("a"), madeTool("b"), ...others]);
    assert.deepEqual(held.pins.pending.get("b")?.reasons, ["new", "rolled-back"]);
  }
});

test("new tools that were forgotten can't be called, nor what no list named after that", () => {
  const server = watched();
  list(server, [madeTool("a")]);
  assert.equal(standingOf(server.pins, "evil").kind, "unlisted");
  list(server, [madeTool("evil"), ...Array.from({ length: 2000 }, (_, k) => madeTool(String(k)))]);
  assert.equal(server.pins.pending.has("evil"), false);
  for (const name of ["evil", "never listed"]) {
    assert.deepEqual(standingOf(server.pins, name), { kind: "blocked", reasons: ["new"] });
  }
  list(server, [madeTool("a"), madeTool("evil")]);
  approve(server, [{ name: "evil", contentHash: server.pins.pending.get("evil")?.contentHash }]);
  assert.equal(standingOf(server.pins, "evil").kind, "pinned");
});

test("of changes too long to keep the verdicts stay, and nobody approves one unseen until it is listed again", () => {
  const server = watched();
  const names = Array.from({ length: 30 }, (_, k) => `t${k}`);
  list(
    server,
    names.map((name) => madeTool(name)),
  );
  const text = "d".repeat(400_000);
  for (const name of names) list(server, [madeTool(name, text)]);
  for (const name of names) assert.equal(standingOf(server.pins, name).kind, "blocked", name);
  const kept = [...server.pins.forms.values()].reduce((sum, form) => sum + form.length, 0);
  assert.ok(kept < 9 * 1024 * 1024);
  const first = { name: "t0", contentHash: server.pins.pending.get("t0")?.contentHash };
  const unseen = approveTools(server.pins, [first], { who: "ann", atUnixMs: 1 });
  assert.match(unseen.kind === "refused" ? unseen.why : "", /too long to keep/);
  assert.ok(approvable(server.pins).every(({ name }) => name !== "t0"));
  assert.deepEqual(list(server, [madeTool("t0", text)]).findings, []);
  approve(server, [first]);
  assert.equal(standingOf(server.pins, "t0").kind, "pinned");
});
