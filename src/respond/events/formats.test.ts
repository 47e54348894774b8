/** Events in each format: what receivers rely on, and what no text in an event may do to them. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { fromUtf8 } from "../../kernel/bytes.ts";
import { cefLine } from "./cef.ts";
import { chatMessage } from "./chat.ts";
import { type EventGroup, isPicked, usualGroups } from "./event-groups.ts";
import { ocsfEvent } from "./ocsf.ts";
import { otlpLogs } from "./otlp.ts";
import { plainEvent } from "./plain.ts";
import { jsonLine, syslogFrame } from "./syslog.ts";
import { type Teller, type Told, toldEntry, toldGap, toldTest } from "./told.ts";

const teller: Teller = { origin: "acme.test/gateway", version: "1.2.3", host: "gw-1" };
const atUnixMs = Date.UTC(2026, 10, 22, 9, 30);
const agent = "spiffe://acme.test/agent/mail";

function told(change: Partial<Told> = {}): Told {
  return {
    uid: "acme.test/gateway#7",
    index: 7,
    event: "call.decision",
    atUnixMs,
    callId: "0193-call",
    principal: agent,
    tool: "files/read_file",
    outcome: "allowed",
    facts: { server: "files", method: "tools/call", rule: "readers" },
    ...change,
  };
}

interface Ocsf {
  readonly class_uid: number;
  readonly category_uid: number;
  readonly activity_id: number;
  readonly type_uid: number;
  readonly severity_id: number;
  readonly time: number;
  readonly message: string;
  readonly metadata: {
    readonly uid: string;
    readonly version: string;
    readonly product: { readonly vendor_name: string };
  };
  readonly unmapped: Readonly<Record<string, unknown>>;
  readonly [attribute: string]: unknown;
}

/** What the schema (1.5) requires of each class beside what it requires of all, and the activities it has. */
const classes: Readonly<
  Record<number, { readonly required: readonly string[]; readonly activities: readonly number[] }>
> = {
  0: { required: [], activities: [0, 99] },
  2004: { required: ["finding_info"], activities: [0, 1, 2, 3, 99] },
  2005: { required: ["finding_info_list", "status_id", "assignee_group"], activities: [0, 1, 2, 3, 99] },
  3004: { required: ["entity"], activities: [0, 1, 2, 3, 4, 99] },
  6002: { required: ["app"], activities: [0, 1, 2, 3, 4, 5, 6, 7, 8, 99] },
  6003: { required: ["actor", "api", "src_endpoint"], activities: [0, 1, 2, 3, 4, 99] },
  7001: { required: ["command_uid"], activities: [0, 1, 2, 3, 4, 99] },
};

function checked(event: Told): Ocsf {
  const ocsf = ocsfEvent(event, teller) as Ocsf;
  const row = classes[ocsf.class_uid];
  assert.ok(row !== undefined, `${event.event} has no known class`);
  for (const name of row.required) assert.ok(ocsf[name] !== undefined, `${event.event} lacks ${name}`);
  assert.ok(row.activities.includes(ocsf.activity_id), `${event.event}: activity ${ocsf.activity_id}`);
  assert.equal(ocsf.type_uid, ocsf.class_uid * 100 + ocsf.activity_id);
  assert.equal(ocsf.category_uid, Math.floor(ocsf.class_uid / 1000));
  assert.ok([1, 2, 3, 4, 5].includes(ocsf.severity_id));
  assert.equal(ocsf.metadata.uid, event.uid);
  assert.equal(ocsf.metadata.version, "1.5.0");
  assert.equal(ocsf.metadata.product.vendor_name, "Latticegate");
  return ocsf;
}

/** Each event with the OCSF class and activity that it becomes. */
const mapped: readonly (readonly [
  event: string,
  classUid: number,
  activityId: number,
  change?: Partial<Told>,
])[] = [
  ["call.decision", 6003, 99],
  ["call.decision", 6003, 2, { facts: { method: "resources/read", resource: "file:///a" }, tool: null }],
  [
    "call.decision",
    2004,
    1,
    { facts: { method: "tools/call", risk: "0.93", "risk.because": "It was told to." } },
  ],
  ["call.outcome", 6003, 99, { facts: { method: "tools/call", status: "200" } }],
  ["request.denied", 6003, 99, { outcome: "denied" }],
  ["link.denied", 6003, 99, { outcome: "denied" }],
  ["egress.deny", 6003, 99, { outcome: "denied" }],
  ["tools.finding", 2004, 1, { facts: { kind: "changed", server: "files", fields: "description" } }],
  ["flow.finding", 2004, 1, { facts: { kind: "flow.beacon", risk: "0.5", says: "It calls like a clock." } }],
  ["link.regressed", 2004, 1, { facts: { regressions: "group:high" } }],
  ["log.incident", 2004, 1, { facts: { kind: "fork", says: "Two logs." } }],
  ["incident.open", 2005, 1, { facts: { incident: "i1", title: "It did.", score: "0.9" } }],
  ["incident.update", 2005, 2],
  ["incident.close", 2005, 3],
  ["incident.suppress", 2005, 99],
  ["response.act", 7001, 1, { facts: { action: "quarantine", response: "r1" } }],
  ["response.act", 7001, 2, { facts: { action: "cut", response: "r1" } }],
  ["response.act", 7001, 4, { facts: { action: "read_only", response: "r1" } }],
  ["response.lift", 7001, 3],
  ["response.fail", 7001, 4, { facts: { action: "limit" } }],
  ["identity.issue", 3004, 1],
  ["identity.revoke", 3004, 4],
  ["identity.refuse", 3004, 99, { outcome: "denied" }],
  ["gateway.start", 6002, 3],
  ["gateway.stop", 6002, 4],
  ["kill.on", 6002, 7],
  ["kill.off", 6002, 6],
  ["policy.change", 6002, 8],
  ["somebody.elses", 0, 99],
];

test("OCSF: each event becomes its class, with all that the class requires", () => {
  for (const [event, classUid, activityId, change] of mapped) {
    const { class_uid, activity_id } = checked(told({ event, ...change }));
    assert.deepEqual([event, class_uid, activity_id], [event, classUid, activityId]);
  }
  checked(toldGap(teller, { from: 0, to: 256, says: "Gone." }, atUnixMs));
  checked(toldTest(teller, "1", atUnixMs));
});

test("OCSF: a finding carries its techniques, how sure it is, and the evidence", () => {
  const ocsf = checked(
    told({
      outcome: "denied",
      facts: { server: "files", method: "tools/call", risk: "0.93", "risk.because": "Told to." },
    }),
  );
  const info = ocsf["finding_info"] as { attacks: unknown; types: unknown; title: string };
  assert.deepEqual(info.types, ["risk.call", "denied"]);
  assert.deepEqual(info.attacks, [
    { technique: { uid: "AML.T0051.001" } },
    { technique: { uid: "AML.T0053" } },
  ]);
  assert.match(info.title, /Told to\./);
  assert.deepEqual([ocsf["confidence_score"], ocsf.severity_id], [93, 5]);
  assert.deepEqual([ocsf["action_id"], ocsf["disposition_id"], ocsf["is_alert"]], [2, 2, false]);
  const [evidence] = ocsf["evidences"] as readonly { api: { operation: string } }[];
  assert.equal(evidence?.api.operation, "tools/call");
});

test("the agentic fields stand in every format", () => {
  const asked = told({
    facts: {
      server: "files",
      method: "tools/call",
      chain: '["spiffe://acme.test/agent/boss"]',
      "peer.cert.alg": "ML-DSA-65",
      signature: "direct ML-DSA-65",
    },
  });
  const fields = {
    delegation_path: ["spiffe://acme.test/agent/boss", agent],
    attestation_state: "certificate:ML-DSA-65 message:direct:ML-DSA-65",
    correlation_id: "0193-call",
    mcp_method: "tools/call",
    mcp_name: "read_file",
  };
  const { latticegate: _facts, ...inOcsf } = checked(asked).unmapped;
  assert.deepEqual(inOcsf, fields);
  const plain = plainEvent(asked, teller) as Record<string, unknown>;
  const inPlain = Object.fromEntries(Object.keys(fields).map((name) => [name, plain[name]]));
  assert.deepEqual(inPlain, fields);
  const cef = cefLine(asked, teller);
  for (const part of [
    `delegation_path=spiffe://acme.test/agent/boss > ${agent}`,
    "attestation_state=certificate:ML-DSA-65 message:direct:ML-DSA-65",
    "correlation_id=0193-call",
    "mcp_method=tools/call",
    "mcp_name=read_file",
  ])
    assert.ok(cef.includes(` ${part}`), part);
  const otlp = JSON.stringify(otlpLogs([asked], teller, atUnixMs));
  for (const name of Object.keys(fields)) assert.ok(otlp.includes(`"key":"${name}"`), name);
  assert.equal(checked(told({ principal: "anonymous" })).unmapped["attestation_state"], "none");
});

const hostile = 'x|y\\z=1 outcome=allowed\r\nCEF:0|Evil|\u2028\u202e\u001b[2J\u0000"]';

test("CEF: no name of a tool ends its field, its line, or begins an event of its own", () => {
  const line = cefLine(told({ tool: `files/${hostile}`, outcome: "denied", event: "a|b\\c\nd" }), teller);
  // oxlint-disable-next-line no-control-regex -- that none is there is the point
  assert.doesNotMatch(line, /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
  assert.ok(line.startsWith("CEF:0|Latticegate|Latticegate|1.2.3|a\\|b\\\\c ⏎ d|a\\|b\\\\c ⏎ d|"), line);
  const extension = line.slice(line.indexOf("rt="));
  // Keys are what stands before a sign that isn't escaped.
  const keys = [...extension.matchAll(/(?:^| )([a-z_A-Z]+)=/g)].map(([, key]) => key);
  assert.equal(keys.filter((key) => key === "outcome").length, 1);
  assert.match(extension, /outcome=denied /);
  assert.match(extension, /mcp_name=x\|y\\\\z\\=1 outcome\\=allowed/);
});

test("syslog: one frame is one message, as long as it says, whatever stands in it", () => {
  const event = told({ tool: `files/${hostile}`, event: `call.decision ${"x".repeat(40)}\n` });
  const frame = syslogFrame(event, { ...teller, host: "gw 1\n" }, jsonLine(ocsfEvent(event, teller)));
  const text = fromUtf8(frame) ?? "";
  const [length = ""] = text.split(" ", 1);
  assert.equal(frame.length, Number(length) + length.length + 1);
  // oxlint-disable-next-line no-control-regex -- that none is there is the point
  assert.doesNotMatch(text, /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e]/);
  const sent = JSON.parse(text.slice(text.indexOf(" {") + 1)) as Ocsf;
  assert.equal(sent.unmapped["mcp_name"], hostile);
  assert.match(
    text,
    /^\d+ <110>1 2026-11-22T09:30:00\.000Z gw_1_ latticegate - call\.decision_x{18} \[origin software="latticegate" swVersion="1\.2\.3"\] \{/,
  );
});

test("chat: no text in an event names people, links or calls a channel", () => {
  const title = 'tool "<!channel> <https://evil.test|click> &amp; *bold*" did';
  const message = chatMessage(told({ event: "incident.open", facts: { title, score: "0.95" } }), teller) as {
    text: string;
    blocks: readonly { text?: { type: string } }[];
  };
  assert.doesNotMatch(message.text, /[<>]/);
  assert.match(message.text, /^🔴 .*&lt;!channel&gt;/);
  assert.equal(message.blocks[0]?.text?.type, "plain_text");
});

test("chat: those that read Markdown see code in it, with no link, no picture and nobody's name", () => {
  const title =
    "a ` [click](https://evil.test) ![](http://evil.test/a.png) @everyone <@1> www.evil.test ~all` ``";
  const { text } = chatMessage(told({ event: "incident.open", facts: { title } }), teller) as {
    text: string;
  };
  assert.match(text, /^\S+ `[^`]+`$/u);
  assert.doesNotMatch(text, /@|:\/\/|www\.|[<>]/);
  const long = chatMessage(told({ event: "incident.open", facts: { title: "<`".repeat(5000) } }), teller);
  assert.match((long as { text: string }).text, /^\S+ `[^`]{1900}…`$/u);
});

test("an event of another writer named like what every object has is told in each format", () => {
  for (const name of ["constructor", "toString", "__proto__", "hasOwnProperty", "valueOf"])
    for (const event of [name, `${name}.x`]) {
      const odd = told({ event, facts: {} });
      assert.equal(checked(odd).class_uid, 0);
      assert.equal(isPicked(odd, new Set(["outcomes"])), true);
      assert.equal((plainEvent(odd, teller) as { severity: string }).severity, "informational");
      for (const write of [cefLine, chatMessage]) write(odd, teller);
      otlpLogs([odd], teller, atUnixMs);
    }
});

test("what the log keeps of arguments and answers for itself is told to nobody", () => {
  const facts = { features: '{"args.to":"~x"}', request_hmac: "h", answer_hmac: "h", rule: "readers" };
  const { facts: kept } = toldEntry("o", 1, {
    ...told({ facts }),
    eventId: "e",
    previousHash: null,
    eventHash: "0".repeat(64),
  });
  assert.deepEqual(kept, { rule: "readers" });
});

test("what is picked unasked doesn't come by the call; denials and findings in calls do when they are", () => {
  const picks = (groups: readonly EventGroup[], change: Partial<Told>): boolean =>
    isPicked(told(change), new Set(groups));
  assert.equal(picks(usualGroups, {}), false);
  assert.equal(picks(usualGroups, { event: "call.outcome" }), false);
  assert.equal(picks(usualGroups, { outcome: "denied" }), false);
  assert.equal(picks(usualGroups, { facts: { risk: "0.93" } }), true);
  assert.equal(picks(usualGroups, { facts: { risk: "0.4" } }), false);
  assert.equal(picks(usualGroups, { event: "response.act" }), true);
  assert.equal(picks(["denials"], { outcome: "denied" }), true);
  assert.equal(picks(["denials"], {}), false);
  assert.equal(picks(["denials"], { event: "outlet.gap" }), true);
});
