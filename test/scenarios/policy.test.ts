/** Rules with conditions and effects, over real sockets: who is refused, what leaves no trace at the server, and what is said. */
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";

import { decideRequest } from "../../src/app/approvals/approval-operations.ts";
import { operatorBy } from "../../src/app/approvals/approvers.ts";
import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { connectHttp } from "../../src/app/connect.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import { atEnd } from "../support/cleanup.ts";
import {
  type Answering,
  type Client,
  clientOf,
  enrol,
  freshState,
  rawLink,
  stubServer,
  type StubServer,
  testGateway,
  type TestGateway,
  toolCall,
} from "../support/gateway.ts";
import { recorded } from "../support/records.ts";

const silent = systemLog({ level: "error", form: "json", write: () => undefined });

interface House {
  readonly gateway: TestGateway;
  readonly stub: StubServer;
}

const everything = `{ name: all, callers: ["*"], tools: ["*"], resources: ["*"], prompts: ["*"], effect: allow, because: Open. }`;

/** One server, `lab`; the sections beside it as YAML. */
async function house(
  t: TestContext,
  yaml: string,
  options: { readonly listen?: string; readonly answer?: Answering; readonly server?: string } = {},
): Promise<House> {
  const stub = await stubServer(t, options.answer);
  const servers = `servers: { lab: { url: "${stub.url}"${options.server ?? ""} } }`;
  const gateway = await testGateway(
    t,
    `${servers}\n${yaml}`,
    options.listen ? { listen: options.listen } : {},
  );
  return { gateway, stub };
}

async function as(t: TestContext, { gateway }: House, path: string, tls = {}): Promise<Client> {
  return clientOf(t, gateway, await enrol(gateway, path), tls);
}

async function lastDecision({ gateway }: House): Promise<Readonly<Record<string, string>>> {
  const decisions = (await recorded(gateway)).filter(({ event }) => event === "call.decision");
  return decisions.at(-1)?.facts ?? {};
}

/** What a policy would have let through is told apart from what it stopped by what the server saw. */
async function passes(client: Client, stub: StubServer, message: object): Promise<boolean> {
  const before = stub.seen.length;
  const { text } = await client.post("lab", message);
  const isThere = stub.seen.length > before;
  assert.equal(isThere, !/Denied by policy|"error"|isError/.test(text), text);
  return isThere;
}

const classical = { ecdhCurve: "X25519" };
const openToClassical = "{ address: 127.0.0.1:0, key_exchange: hybrid-preferred, classical_servers: [lab] }";
const transition = `profile: transition\ncrypto: { memory: "off" }`;

test("a code interpreter is not run over a classical link, and everything else is", async (t) => {
  const lab = await house(
    t,
    `${transition}
policies:
  - ${everything}
  - name: no-code-on-classical-links
    callers: ["*"]
    tools: ["lab/run_python"]
    when: "!link.pq"
    effect: deny
    because: Code isn't sent where it can be recorded and read later.`,
    { listen: openToClassical },
  );
  const enrolment = await enrol(lab.gateway, "agent/coder");
  const [hybrid, old] = [clientOf(t, lab.gateway, enrolment), clientOf(t, lab.gateway, enrolment, classical)];
  assert.ok(await passes(hybrid, lab.stub, toolCall("run_python")));
  assert.ok(!(await passes(old, lab.stub, toolCall("run_python"))));
  assert.equal((await lastDecision(lab))["rule"], "no-code-on-classical-links");
  assert.ok(await passes(old, lab.stub, toolCall("read_file")));
});

for (const [place, network, isCut] of [
  ["an unknown address", "10.0.0.0/8", true],
  ["the corporate network", "127.0.0.0/8", false],
] as const) {
  test(`a retail bot that reaches for payroll from ${place} ${isCut ? "loses its link" : "is judged as everybody"}`, async (t) => {
    const shop = await house(
      t,
      `networks: { corporate: ["${network}"] }
policies:
  - ${everything}
  - name: retail-stays-out-of-payroll
    callers: ["spiffe://latticegate.local/agent/retail-*"]
    tools: ["lab/payroll_*"]
    when: '!("corporate" in place.networks)'
    effect: cut
    because: Retail bots have nothing to do with payroll.`,
    );
    const enrolment = await enrol(shop.gateway, "agent/retail-7");
    const link = await rawLink(shop.gateway, enrolment);
    const closed = new Promise<boolean>((resolve) => link.once("close", () => resolve(true)));
    const send = (message: object): void => {
      const body = JSON.stringify(message);
      link.write(
        `POST /mcp/lab HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    };
    let said = "";
    link.on("data", (bytes: Buffer) => (said += bytes.toString()));
    const answered = (): Promise<unknown> =>
      new Promise((resolve) => {
        const look = (): void => (said.includes("}") ? resolve(said) : void setTimeout(look, 5));
        look();
      });
    send(toolCall("list_prices"));
    await answered();
    assert.match(said, /"result":\{\}/);
    said = "";
    send(toolCall("payroll_export"));
    if (isCut) {
      await closed;
      assert.match(said, /Denied by policy: Retail bots have nothing to do with payroll/);
      assert.equal(shop.stub.seen.length, 1);
      assert.equal((await lastDecision(shop))["rule.effect"], "cut");
    } else {
      await answered();
      assert.match(said, /"result":\{\}/);
      assert.ok(!link.destroyed);
    }
    assert.ok(await passes(await as(t, shop, "agent/other"), shop.stub, toolCall("payroll_export")));
  });
}

for (const [where, network, signature] of [
  ["outside the corporate network signs better", "10.0.0.0/8", "direct ML-DSA-87"],
  ["inside the corporate network signs as always", "127.0.0.0/8", "direct ML-DSA-65"],
] as const) {
  test(`a finance agent ${where}, without its client's doing`, async (t) => {
    const bank = await house(
      t,
      `networks: { corporate: ["${network}"] }
groups: { finance: ["spiffe://latticegate.local/agent/finance-*"] }
policies:
  - ${everything}
  - name: stronger-outside
    callers: ["*"]
    tools: ["lab/*"]
    when: '"finance" in caller.groups && !("corporate" in place.networks)'
    effect: step_up
    step_up: { signature: { mode: direct, algorithm: ML-DSA-87 } }
    because: Outside the house finance signs with the strongest key.`,
    );
    const joinToken = await makeJoinToken(
      bank.gateway.config,
      { path: "agent/finance-1", address: bank.gateway.address },
      systemClock,
    );
    const connection = await connectHttp(
      { target: "lab", state: await freshState(t), joinToken, clock: systemClock, log: silent },
      0,
    );
    atEnd(t, connection.close);
    const answer = await fetch(connection.url, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
      body: JSON.stringify(toolCall("pay")),
    });
    assert.match(await answer.text(), /"result"/);
    assert.equal((await lastDecision(bank))["signature"], signature);
    const unsigned = await (await as(t, bank, "agent/finance-2")).post("lab", toolCall("pay"));
    const isOutside = signature.endsWith("87");
    assert.equal(/signature_required.*ML-DSA-87/.test(unsigned.text), isOutside, unsigned.text);
  });
}

test("long-lived health records never go over a link that isn't hybrid; short-lived data does", async (t) => {
  const clinic = await house(
    t,
    `${transition}
quantum: { earliest: 2032-01-01 }
data:
  - { name: health-record, tools: ["lab/record_*"], resources: ["lab/ehr://*"], shelf_life: 30y }
  - { name: menu, tools: ["lab/menu_*"], shelf_life: 1d }
policies:
  - ${everything}
  - name: mosca
    callers: ["*"]
    tools: ["*"]
    resources: ["*"]
    when: "!link.pq && now + resource.shelf_life > quantum.earliest"
    effect: deny
    because: It must stay secret for longer than this link can keep it.`,
    { listen: openToClassical },
  );
  const enrolment = await enrol(clinic.gateway, "agent/ward");
  const [hybrid, old] = [
    clientOf(t, clinic.gateway, enrolment),
    clientOf(t, clinic.gateway, enrolment, classical),
  ];
  const read = { jsonrpc: "2.0", id: 1, method: "resources/read", params: { uri: "ehr://7" } };
  for (const message of [toolCall("record_read"), read]) {
    assert.ok(await passes(hybrid, clinic.stub, message));
    assert.ok(!(await passes(old, clinic.stub, message)));
    assert.equal((await lastDecision(clinic))["rule"], "mosca");
  }
  assert.ok(await passes(old, clinic.stub, toolCall("menu_today")));
});

test("a limit on an argument means what it says, whatever the argument is", async (t) => {
  const shop = await house(
    t,
    `policies:
  - ${everything}
  - name: no-big-refunds
    callers: ["*"]
    tools: ["lab/process_refund"]
    when: args.amount > 500
    effect: deny
    because: Refunds above 500 need an approver.`,
  );
  const client = await as(t, shop, "agent/support-1");
  for (const [amount, isThrough] of [
    [500, true],
    [499.99, true],
    [500.01, false],
    [501, false],
    // What isn't a number, or isn't there, is refused, since nobody knows what the server makes of it.
    ["501", false],
    [[501], false],
    [null, false],
    [undefined, false],
    [1e300, false],
  ] as const) {
    assert.equal(
      await passes(client, shop.stub, toolCall("process_refund", 1, { amount })),
      isThrough,
      String(amount),
    );
  }
  assert.match((await lastDecision(shop))["rule.error"] ?? "", /./);
  assert.ok(await passes(client, shop.stub, toolCall("other", 1, { amount: 900 })));
});

test("an allow whose condition errs allows nothing", async (t) => {
  const shop = await house(
    t,
    `policies:
  - { name: small, callers: ["*"], tools: ["lab/*"], when: args.amount < 10, effect: allow, because: Small change. }`,
  );
  const client = await as(t, shop, "agent/a");
  assert.ok(await passes(client, shop.stub, toolCall("pay", 1, { amount: 9 })));
  assert.ok(!(await passes(client, shop.stub, toolCall("pay", 1, { amount: 10 }))));
  assert.ok(!(await passes(client, shop.stub, toolCall("pay", 1, { amount: "9" }))));
  assert.ok(!(await passes(client, shop.stub, toolCall("pay", 1, {}))));
});

test("read_only lets tools pass that an operator labels so, and no others; a shadow rule is only recorded", async (t) => {
  const files = await house(
    t,
    `policies:
  - ${everything}
  - { name: reading, callers: ["*"], tools: ["lab/*"], effect: read_only, because: Audit week. }
  - { name: watched, callers: ["*"], tools: ["lab/*"], effect: deny, mode: shadow, because: Soon. }`,
    { server: `, read_only: ["read_*"]` },
  );
  const client = await as(t, files, "agent/a");
  assert.ok(await passes(client, files.stub, toolCall("read_file")));
  assert.equal((await lastDecision(files))["rule.shadow"], "watched=deny");
  assert.ok(!(await passes(client, files.stub, toolCall("write_file"))));
  const { rule, "rule.effect": effect } = await lastDecision(files);
  assert.deepEqual([rule, effect], ["reading", "read_only"]);
});

test("what is to be redacted reaches neither the server nor the caller", async (t) => {
  const secret = "123-45-6789";
  const patients = {
    patients: [
      { name: "Ada", ssn: secret },
      { name: "Bob", ssn: secret },
    ],
  };
  const clinic = await house(
    t,
    `policies:
  - ${everything}
  - name: no-ssn
    callers: ["*"]
    tools: ["lab/*"]
    effect: redact
    redact: { arguments: ["/ssn"], answer: ["/patients/*/ssn"] }
    because: Numbers stay where they are.`,
    {
      answer: (_request, response, body) => {
        const { id } = JSON.parse(body) as { id: number };
        const result = {
          content: [{ type: "text", text: JSON.stringify(patients) }],
          structuredContent: patients,
        };
        response.writeHead(200, { "content-type": "application/json" });
        response.end(JSON.stringify({ jsonrpc: "2.0", id, result }));
      },
    },
  );
  const client = await as(t, clinic, "agent/a");
  const { text } = await client.post("lab", toolCall("find", 1, { ssn: secret, name: "Ada" }));
  assert.ok(!text.includes(secret), text);
  assert.match(text, /"name":"Bob"/);
  const [seen] = clinic.stub.seen;
  assert.deepEqual((JSON.parse(seen?.body ?? "") as { params: { arguments: unknown } }).params.arguments, {
    ssn: "[redacted]",
    name: "Ada",
  });
  assert.equal((await lastDecision(clinic))["rule.redact"], "no-ssn");
});

const secret = "123-45-6789";
const spellings: readonly (readonly [what: string, answer: string])[] = [
  ["a batch", `[{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"ssn":"${secret}"}}}]`],
  [
    "another spelling of result",
    `{"jsonrpc":"2.0","id":1,"result":{},"Result":{"structuredContent":{"ssn":"${secret}"}}}`,
  ],
  [
    "another spelling of a member",
    `{"jsonrpc":"2.0","id":1,"result":{"STRUCTUREDCONTENT":{"ssn":"${secret}"}}}`,
  ],
  [
    "a member that comes twice",
    `{"jsonrpc":"2.0","id":1,"result":{"structuredContent":{"ssn":"${secret}"},"structuredContent":{}}}`,
  ],
  ["an error", `{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"m","data":{"ssn":"${secret}"}}}`],
  ["text behind a byte order mark", said(`\uFEFF{"ssn":"${secret}"}`)],
  ["text in a fence", said(`Here it is:\n\`\`\`json\n{"ssn":"${secret}"}\n\`\`\`\nBye.`)],
  ["text of several lines", said(`{"ssn":"${secret}"}\n{"ssn":"${secret}"}`)],
  [
    "a blob",
    `{"jsonrpc":"2.0","id":1,"result":{"contents":[{"uri":"m:1","blob":"${Buffer.from(`{"ssn":"${secret}"}`).toString("base64")}"}]}}`,
  ],
  [
    "a prompt's message",
    `{"jsonrpc":"2.0","id":1,"result":{"messages":[{"role":"user","content":{"type":"text","text":${JSON.stringify(`{"ssn":"${secret}"}`)}}}]}}`,
  ],
  ["a long answer", said(`{"ssn":"${secret}","pad":"${"x".repeat(1_500_000)}"}`)],
];

function said(text: string): string {
  return JSON.stringify({ jsonrpc: "2.0", id: 1, result: { content: [{ type: "text", text }] } });
}

test("what is to be redacted doesn't leave however the server spells its answer", async (t) => {
  let now = "";
  const clinic = await house(
    t,
    `policies:
  - ${everything}
  - { name: no-ssn, callers: ["*"], tools: ["lab/*"], effect: redact, redact: { answer: ["/ssn"] }, because: Numbers stay. }`,
    {
      answer: (_request, response) => {
        response.writeHead(200, { "content-type": "application/json" });
        response.end(now);
      },
    },
  );
  const client = await as(t, clinic, "agent/a");
  for (const [what, answer] of spellings) {
    now = answer;
    const { text } = await client.post("lab", toolCall("find"));
    assert.ok(!text.includes(secret), what);
    assert.ok(!text.includes(Buffer.from(secret).toString("base64").slice(4, 12)), what);
  }
  now = said(`{"n":12345678901234567890,"ssn":"${secret}"}`);
  assert.match((await client.post("lab", toolCall("find"))).text, /12345678901234567890.*\[redacted\]/);
});

test("what asks for something without an id reaches no server, whatever allows it", async (t) => {
  const lab = await house(t, `policies:\n  - ${everything}`);
  const client = await as(t, lab, "agent/a");
  for (const method of ["tools/call", "resources/read", "prompts/get", "tasks/cancel"]) {
    const { id: _, ...silent } = { ...toolCall("find"), method } as { id?: unknown };
    const { status, text } = await client.post("lab", silent);
    assert.equal(status, 400);
    assert.match(text, /no notification's/);
  }
  await client.post("lab", { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } });
  assert.deepEqual(
    lab.stub.seen.map(({ body }) => (JSON.parse(body) as { method: string }).method),
    ["notifications/cancelled"],
  );
});

test("what is to be redacted doesn't leave in a header or a completion either", async (t) => {
  const clinic = await house(
    t,
    `policies:
  - ${everything}
  - { name: no-ssn, callers: ["*"], tools: ["lab/*"], prompts: ["lab/*"], effect: redact, redact: { arguments: ["/ssn"] }, because: Numbers stay where they are. }`,
  );
  const client = await as(t, clinic, "agent/a");
  const repeats = { "mcp-param-ssn": "123-45-6789" };
  const refused = await client.post("lab", toolCall("find", 1, { ssn: "123-45-6789" }), repeats);
  assert.match(refused.text, /its headers repeat arguments/);
  const typed = {
    jsonrpc: "2.0",
    id: 2,
    method: "completion/complete",
    params: { ref: { type: "ref/prompt", name: "p" }, argument: { name: "ssn", value: "123" } },
  };
  assert.match((await client.post("lab", typed)).text, /completions are asked for with what is typed/);
  assert.equal(clinic.stub.seen.length, 0);
  const { text } = await client.post("lab", toolCall("find", 3, { name: "Ada" }), {
    "mcp-param-name": "Ada",
  });
  assert.match(text, /"result"/);
});

test("what may not be called isn't listed, and what isn't listed may not be called", async (t) => {
  const tools = ["read_file", "write_file", "delete_file", "pay", "admin"].map((name) => ({
    name,
    inputSchema: { type: "object" },
  }));
  const files = await house(
    t,
    `policies:
  - { name: some, callers: ["*"], tools: ["lab/*_file", "lab/pay"], effect: allow, because: Most may. }
  - { name: no-delete, callers: ["*"], tools: ["lab/delete_*"], effect: deny, because: Nobody deletes. }
  - { name: big, callers: ["*"], tools: ["lab/pay"], when: args.amount > 5, effect: deny, because: Too much. }
  - { name: from-elsewhere, callers: ["*"], tools: ["lab/write_file"], when: 'place.address != "10.0.0.1"', effect: deny, because: Not from here. }`,
    {
      server: ", tools: { pin: off }",
      answer: (_request, response, body) => {
        const { id, method } = JSON.parse(body) as { id: number; method: string };
        response.writeHead(200, { "content-type": "application/json" });
        response.end(
          JSON.stringify({ jsonrpc: "2.0", id, result: method === "tools/list" ? { tools } : {} }),
        );
      },
    },
  );
  const client = await as(t, files, "agent/a");
  const { text } = await client.post("lab", { jsonrpc: "2.0", id: 1, method: "tools/list" });
  const listed = (JSON.parse(text) as { result: { tools: { name: string }[] } }).result.tools.map(
    ({ name }) => name,
  );
  assert.deepEqual(listed, ["read_file", "pay"]);
  for (const { name } of tools) {
    const isThrough = await passes(client, files.stub, toolCall(name, 1, { amount: 1 }));
    assert.equal(isThrough, listed.includes(name), name);
  }
});

test("a refund above the limit waits for a person and goes through once; one below doesn't wait", async (t) => {
  const shop = await house(
    t,
    `policies:
  - ${everything}
  - name: refunds-over-500-need-a-person
    callers: ["spiffe://latticegate.local/agent/support-*"]
    tools: ["lab/process_refund"]
    when: args.amount > 500
    effect: hold
    because: Refunds above 500 need an approver.`,
  );
  const client = await as(t, shop, "agent/support-7");
  const refund = (amount: number, id: number): object => toolCall("process_refund", id, { amount });
  assert.ok(await passes(client, shop.stub, refund(499, 1)));
  const { text } = await client.post("lab", refund(501, 2));
  const request = /"request":"([0-9a-f]+)"/.exec(text)?.[1] ?? assert.fail(text);
  assert.equal(shop.stub.seen.length, 1, "a held call leaves no byte at the server");
  const place = { state: shop.gateway.config.state, clock: systemClock };
  decideRequest(place, request, { by: operatorBy("uid 1000"), what: "approve" });
  assert.ok(await passes(client, shop.stub, refund(501, 3)));
  assert.ok(!(await passes(client, shop.stub, refund(501, 4))));
  assert.ok(await passes(await as(t, shop, "agent/other"), shop.stub, refund(900, 5)));
});
