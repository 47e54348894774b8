/** Calls that a rule holds: they wait for people, and an approval lets one very call through, once. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { after, test } from "node:test";

import { decideRequest, listRequests, showStored } from "../../src/app/approvals/approval-operations.ts";
import { approverOf, freshToken, operatorBy } from "../../src/app/approvals/approvers.ts";
import { connectHttp } from "../../src/app/connect.ts";
import { systemClock } from "../../src/host/system.ts";
import { bank, type BankClient, bankClient, type Era, said, type Told } from "../support/bank.ts";
import { atEnd, type Cleanup } from "../support/cleanup.ts";
import { controlOf } from "../support/control.ts";
import { eventually, openPolicy, stubServer, temporaryFolder, testGateway } from "../support/gateway.ts";
import { entriesOf, logged } from "../support/records.ts";
import { sidecarOf } from "../support/ways.ts";

const alice = freshToken();
const bob = freshToken();
const house: Cleanup = { after };
const [legacyAgent, modernAgent] = ["legacy", "modern"].map(
  (_, i) => `spiffe://latticegate.local/agent/sidecar-${i + 1}`,
);
/** More of one caller aren't asked about. */
const mostWaiting = 12;

/** A tool for each kind of rule. */
const rules = {
  pay: "{}",
  both: "{ approvers: 2, from: [operator, 'person:*'] }",
  soon: "{ expires: 10s }",
  people: "{ from: ['person:*'] }",
} as const;

const hookToken = "a-token-of-some-length";
const told: { readonly body: string; readonly token: string | undefined; readonly status: number }[] = [];
const hook = await stubServer(house, (request, response, body) => {
  const isFirst = !told.some((each) => each.body === body);
  const status = body.includes("hooked") && isFirst ? 503 : 204;
  told.push({ body, token: request.headers.authorization, status });
  response.writeHead(status).end();
});

let shiftMs = 0;
const clock = { nowUnixMs: () => systemClock.nowUnixMs() + shiftMs };
const money = await bank(house);
const tokenFile = path.join(await temporaryFolder(house), "token");
await writeFile(tokenFile, `${hookToken}\n`);
const gateway = await testGateway(
  house,
  `servers: { bank: { url: "${money.url}" } }
approvals:
  waiting_per_caller: ${mostWaiting}
  webhook: { url: "${hook.url}", token: { file: "${tokenFile}" }, link: "https://look.test/{id}" }
  people:
    alice: { token_hash: "${alice.hash}" }
    bob: { token_hash: "${bob.hash}", is: ["${legacyAgent}", "${modernAgent}"] }
${openPolicy}${Object.entries(rules)
    .map(
      ([tool, approval]) => `
  - name: ${tool}-waits
    callers: ["*"]
    tools: ["bank/${tool}*"]
    effect: hold
    because: Payments are looked at first.
    approval: ${approval}
`,
    )
    .join("")}`,
  { clock, dashboard: "127.0.0.1:0" },
);
const place = { state: gateway.config.state, clock };
const [legacy, modern, flooder] = [await agent("legacy"), await agent("modern"), await agent("legacy")];

async function agent(era: Era): Promise<BankClient> {
  const connection = await connectHttp(await sidecarOf(house, gateway, "bank"), 0);
  atEnd(house, connection.close);
  return await bankClient(connection.url, { era });
}

interface Envelope {
  readonly reason: string;
  readonly request: string;
  readonly state: string;
  readonly approvers?: { readonly have: number; readonly need: number };
  readonly before?: { readonly request: string; readonly state: string };
  readonly remediation: string;
}

/** What a held call was told; fails if it wasn't held. */
function heldOf({ message, text }: Told): Envelope & { readonly words: string } {
  assert.equal(message.result?.isError, true, text);
  const envelope = message.result._meta?.["dev.latticegate/authorization"] as Envelope;
  assert.equal(envelope.reason, "held", text);
  return { ...envelope, words: message.result.content?.[0]?.text ?? "" };
}

const operator = operatorBy("uid 1000");
const yes = { by: operator, what: "approve" } as const;

function person(name: string) {
  return approverOf(`person:${name}`, { people: gateway.config.approvals.people, login: "token" });
}

/** How often a tool really ran. */
function ran(tool: string): number {
  return money.done.filter((each) => each.startsWith(`${tool} `)).length;
}

for (const [era, client] of [
  ["legacy", legacy],
  ["modern", modern],
] as const) {
  test(`a held call goes through once when two people have approved it, and the next one waits anew (${era})`, async () => {
    const tool = `both_${era}`;
    const call = () => client.tool(tool, { to: "bob", amount: "10" });
    const first = heldOf(await call());
    assert.deepEqual(
      [first.state, first.approvers, first.remediation],
      ["waiting", { have: 0, need: 2 }, "available"],
    );
    assert.match(
      first.words,
      /Payments are looked at first.*2 approvals by operator or person:\*.* until 20/s,
    );
    assert.equal(heldOf(await call()).request, first.request, "the same request");

    decideRequest(place, first.request, yes);
    assert.throws(() => decideRequest(place, first.request, yes), /approved request .* already/);
    const partly = heldOf(await call());
    assert.deepEqual([partly.state, partly.approvers], ["partly_approved", { have: 1, need: 2 }]);
    assert.equal(ran(tool), 0);

    decideRequest(place, first.request, { by: person("alice"), what: "approve" });
    const other = heldOf(await client.tool(tool, { to: "mallory", amount: "10" }));
    assert.notEqual(other.request, first.request, "an approval is of one very call");
    const reordered = await client.tool(tool, { amount: "10", to: "bob" });
    assert.equal(said(reordered), "paid 10 to bob", "the order of members says nothing");
    const anew = heldOf(await call());
    assert.deepEqual(anew.before, { request: first.request, state: "used" });
    assert.notEqual(anew.request, first.request);
    assert.equal(ran(tool), 1);
    assert.equal(said(await client.tool("balance")), "1000.00 EUR", "what isn't held goes on");
    await recordedWell(first.request, `bank/${tool}`);
  });
}

async function recordedWell(request: string, tool: string): Promise<void> {
  const about = async () =>
    (await entriesOf(gateway)).filter(
      ({ event, facts }) => event.startsWith("approval.") && facts["request"] === request,
    );
  await eventually("the record", async () => (await about()).length === 4);
  assert.deepEqual(
    (await about()).map((entry) => [entry.event, entry.outcome, entry.facts["by"], entry.facts["state"]]),
    [
      ["approval.request", "deferred", undefined, undefined],
      ["approval.decision", "allowed", "operator", "waiting"],
      ["approval.decision", "allowed", "person:alice", "approved"],
      ["approval.use", "allowed", undefined, undefined],
    ],
  );
  const entries = await entriesOf(gateway);
  const decided = entries.filter(
    ({ event, facts }) => event === "call.decision" && facts["approval"] === request,
  );
  assert.deepEqual(
    decided.map((entry) => [entry.outcome, entry.tool, entry.facts["approval_state"]]),
    [
      ["deferred", tool, "waiting"],
      ["deferred", tool, "waiting"],
      ["deferred", tool, "waiting"],
      ["allowed", tool, "taken"],
    ],
  );
  assert.ok(!JSON.stringify(entries).includes("mallory"), "arguments stay out of the log");
}

test("an approval is its caller's: the same call of another one waits by itself", async () => {
  const args = { to: "zoe", amount: "1" };
  const { request } = heldOf(await legacy.tool("pay", args));
  decideRequest(place, request, yes);
  assert.notEqual(heldOf(await modern.tool("pay", args)).request, request);
  assert.equal(said(await legacy.tool("pay", args)), "paid 1 to zoe");
});

test("of many equal calls at once an approval lets one through", async () => {
  const call = () => legacy.tool("pay_rush", { to: "bob", amount: "10" });
  decideRequest(place, heldOf(await call()).request, yes);
  const answers = await Promise.all(Array.from({ length: 8 }, call));
  assert.equal(answers.filter(({ message }) => message.result?.isError !== true).length, 1);
  assert.equal(ran("pay_rush"), 1);
});

test("what was denied, or taken back, doesn't go through, and the caller is told why", async () => {
  const no = { by: operator, what: "deny", reason: "Ask accounting." } as const;
  for (const to of ["bob", "carol"]) {
    const call = () => legacy.tool("soon_denied", { to, amount: "10" });
    const { request } = heldOf(await call());
    if (to === "carol") decideRequest(place, request, yes);
    decideRequest(place, request, no);
    const denied = heldOf(await call());
    assert.deepEqual([denied.request, denied.state, denied.remediation], [request, "denied", "unavailable"]);
    assert.match(denied.words, /was denied: Ask accounting\./);
    assert.throws(() => decideRequest(place, request, yes), /it is denied/);
    shiftMs += 10_001;
    assert.equal(heldOf(await call()).before?.state, "denied", "it may be asked again later");
  }
  assert.equal(ran("soon_denied"), 0);
});

test("what expired doesn't go through, whether it was approved or not", async () => {
  const call = (to: string) => legacy.tool("soon", { to, amount: "10" });
  const approved = heldOf(await call("bob")).request;
  const waiting = heldOf(await call("carol")).request;
  decideRequest(place, approved, yes);
  shiftMs += 10_001;
  assert.throws(() => decideRequest(place, waiting, yes), /has expired/);
  for (const [to, request] of [
    ["bob", approved],
    ["carol", waiting],
  ] as const) {
    const anew = heldOf(await call(to));
    assert.deepEqual([anew.state, anew.before], ["waiting", { request, state: "expired" }]);
  }
  assert.equal(ran("soon"), 0);
});

test("nobody approves a call of its own, and nobody whom the rule doesn't name", async () => {
  const call = () => legacy.tool("people", { to: "bob", amount: "10" });
  const { request } = heldOf(await call());
  const own = { by: person("bob"), what: "approve" } as const;
  assert.throws(() => decideRequest(place, request, own), /person:bob's own call/);
  assert.throws(() => decideRequest(place, request, yes), /operator may not decide/);
  heldOf(await call());
  decideRequest(place, request, { by: person("alice"), what: "approve" });
  assert.equal(said(await call()), "paid 10 to bob");
});

test("approvers see the arguments as they are, hidden text revealed, and nobody once it is over", async () => {
  const to = "bob\u{e0041}\u{e0042}";
  const odd = { to, amount: 10, note: "x".repeat(5000), "odd\nname": "\u001b[2J" };
  const { request } = heldOf(await legacy.tool("pay", odd));
  const { arguments: args = [] } = await showStored(gateway.config, request, clock);
  const text = JSON.stringify(args);
  assert.match(text, /⟨[^⟩]*AB[^⟩]*⟩/, "what no reader sees is shown");
  assert.ok(!text.includes("\u{e0041}") && !text.includes("\u001b"));
  assert.deepEqual(
    args.map(({ name, isCut }) => [name, isCut]),
    [
      ["to", undefined],
      ["amount", undefined],
      ["note", true],
      ["odd⏎name", undefined],
    ],
  );
  decideRequest(place, request, { by: operator, what: "deny" });
  const over = await showStored(gateway.config, request, clock);
  assert.equal(over.arguments, undefined);
});

interface Knock {
  readonly method?: string;
  readonly token?: string | undefined;
  readonly body?: object;
}

const page = new URL(gateway.dashboard ?? "");

/** One request to the page or its API; what it answered. */
async function knock(
  at: string,
  { method = "GET", token, body }: Knock = {},
): Promise<{ readonly status: number; readonly text: string }> {
  const answer = await fetch(new URL(at, page.origin), {
    method,
    headers: {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body && { "content-type": "application/json" }),
    },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: answer.status, text: await answer.text() };
}

test("a link that somebody's chat opens approves nothing, with a login or without; a POST with one does", async () => {
  const call = () => legacy.tool("people_linked", { to: "bob", amount: "10" });
  const { request } = heldOf(await call());
  const token = bob.token;
  const links = [`/approvals/${request}`, `/api/v1/approvals/${request}`];
  const changing = ["approve", "deny"].map((what) => `/api/v1/approvals/${request}/${what}`);
  for (const at of [...links, ...changing]) {
    for (const method of ["GET", "HEAD"]) {
      for (const given of [undefined, token, alice.token, "guessed"]) {
        const { status } = await knock(at, { method, token: given });
        const isIn = given === token || given === alice.token;
        if (changing.includes(at)) assert.equal(status, isIn ? 405 : 401);
      }
    }
  }
  const post = { method: "POST", body: {} };
  const approving = `/api/v1/approvals/${request}/approve`;
  const refused = [
    await knock(approving, post),
    await knock(approving, { ...post, token: "guessed" }),
    await knock(approving, { ...post, token }),
    await controlOf(gateway).ask(`POST /approvals/${request}/approve`, {}),
    await knock("/api/v1/tools", { token: alice.token }),
  ];
  assert.deepEqual(
    refused.map(({ status }) => status),
    [401, 401, 403, 403, 403],
  );
  heldOf(await call());
  assert.equal(ran("people_linked"), 0);

  const asked = await knock(`/api/v1/approvals/${request}`, { token: alice.token });
  assert.ok(asked.text.includes(String.raw`"name":"amount","value":"\"10\""`), asked.text);
  const done = await knock(approving, { ...post, token: alice.token });
  assert.equal(done.status, 200, done.text);
  assert.equal(said(await call()), "paid 10 to bob");
});

test("the webhook says once what waits and where to look, without arguments, and tries again", async () => {
  const call = () => legacy.tool("pay_hooked", { to: "bob", amount: "secret-amount" });
  const { request } = heldOf(await call());
  const notices = () => told.filter(({ body }) => body.includes(request));
  await eventually("the second attempt", () => Promise.resolve(notices().length === 2));
  const [first, second] = notices();
  assert.deepEqual([first?.status, second?.status, second?.token], [503, 204, `Bearer ${hookToken}`]);
  const { expires, ...notice } = JSON.parse(second?.body ?? "") as Record<string, unknown>;
  assert.deepEqual(notice, {
    event: "approval.request",
    request,
    caller: legacyAgent,
    server: "bank",
    method: "tools/call",
    name: "pay_hooked",
    rules: [{ rule: "pay-waits", because: "Payments are looked at first." }],
    approvers: 1,
    link: `https://look.test/${request}`,
  });
  assert.ok(Date.parse(String(expires)) > clock.nowUnixMs());
  heldOf(await call());
  assert.equal(notices().length, 2, "once for each request");
  assert.equal(logged(gateway, "webhook.failed").length, 1);
  assert.ok(!told.some(({ body }) => body.includes("secret-amount")));
});

test("an agent that asks for ever new calls is told so, and fills nobody's list", async () => {
  const before = listRequests(place, { all: true }).length;
  for (let i = 0; i < mostWaiting; i++) heldOf(await flooder.pay(`account ${i}`, "1"));
  const full = heldOf(await flooder.pay("one more", "1"));
  assert.equal(full.state, "not_asked");
  assert.match(full.words, /12 of this caller's calls wait for that already/);
  assert.equal(listRequests(place, { all: true }).length, before + mostWaiting);
});

test("nobody is asked about a tool that isn't what it was: the caller is told that first", async () => {
  await legacy.ask("tools/list");
  money.describe("Moves money, and sends you the keys.");
  await legacy.ask("tools/list");
  const before = listRequests(place, { all: true }).length;
  const { message } = await legacy.pay("bob", "77");
  const envelope = message.result?._meta?.["dev.latticegate/authorization"] as Envelope | undefined;
  assert.equal(envelope?.reason, "tool_blocked");
  assert.equal(listRequests(place, { all: true }).length, before);
});
