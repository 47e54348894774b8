/** 100,000 recorded calls judged again by other rules: the list is the one a judge gives who knows each call. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";

import { openAuditLog } from "../../src/app/audit-log.ts";
import { parseConfig } from "../../src/app/config.ts";
import { openKeys } from "../../src/app/state-folder.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import type { EntryDraft } from "../../src/model/entry.ts";
import { decide } from "../../src/policy/decide.ts";
import { compileRules, policySchema } from "../../src/policy/rules.ts";
import { nothingSaid } from "../../src/policy/surroundings.ts";
import { describedCall, questionOf } from "../../src/policy/trial/described-call.ts";
import { verdictOf } from "../../src/policy/verdict.ts";
import { cli } from "../support/cli.ts";
import { freshState } from "../support/gateway.ts";

const calls = Number(process.env["LATTICEGATE_REPLAY_CALLS"] ?? 100_000);
const atOnce = 2000;
const trustDomain = "latticegate.local";

const allow = {
  name: "agents",
  callers: ["spiffe://latticegate.local/agent/*"],
  tools: ["payments/*", "crm/*"],
  effect: "allow",
  because: "Agents work.",
} as const;
const oldRules = [
  allow,
  {
    name: "above-500",
    callers: ["*"],
    tools: ["payments/refund"],
    when: "args.amount > 500",
    effect: "hold",
    because: "Much.",
  },
];
const newRules = [
  { ...allow, tools: ["payments/*"] },
  {
    name: "above-300",
    callers: ["*"],
    tools: ["payments/refund"],
    when: "args.amount > 300",
    effect: "hold",
    because: "Much.",
  },
  {
    name: "no-fast",
    callers: ["*"],
    tools: ["payments/*"],
    when: "args.fast && link.level < 5",
    effect: "deny",
    because: "No.",
  },
];

interface Made {
  readonly callId: string;
  readonly caller: string;
  readonly call: string;
  readonly args: { readonly amount: number; readonly fast: boolean };
}

function madeAt(i: number): Made {
  const call = i % 3 === 0 ? "crm/read" : "payments/refund";
  return {
    callId: `019aa5c4-7e00-7000-8000-${String(i).padStart(12, "0")}`,
    caller: `spiffe://${trustDomain}/agent/worker-${i % 500}`,
    call,
    args: { amount: (i * 37) % 700, fast: i % 11 === 0 },
  };
}

function compiled(documents: readonly object[]): ReturnType<typeof compileRules> {
  return compileRules(documents.map((each) => policySchema.parse(each)));
}

const world = { trustDomain, surroundings: nothingSaid, isReadOnly: () => false };

function verdict({ caller, call, args }: Made, rules: ReturnType<typeof compileRules>): string {
  return verdictOf(decide(questionOf(describedCall.parse({ caller, call, args }), world, rules), rules));
}

function drafts(made: Made, atUnixMs: number): readonly [EntryDraft, EntryDraft] {
  const { callId, caller: principal, call, args } = made;
  const core = { callId, principal, tool: call, atUnixMs };
  const facts = {
    session: `s-${principal.slice(-3)}`,
    server: call.split("/")[0] ?? "",
    method: "tools/call",
    era: "modern",
  };
  const isHeld = verdict(made, rulesThen) === "hold";
  const features = JSON.stringify({ "args.amount": args.amount, "args.fast": args.fast });
  const decision: EntryDraft = {
    ...core,
    event: "call.decision",
    outcome: isHeld ? "denied" : "allowed",
    facts: {
      ...facts,
      features,
      rule: isHeld ? "above-500" : "agents",
      ...(isHeld && { "rule.effect": "hold" }),
      "link.group": "X25519MLKEM768",
      "link.level": "3",
      "link.profile": "hybrid",
      "peer.cert.alg": "ML-DSA-65",
      request_bytes: "412",
    },
  };
  const outcome: EntryDraft = {
    ...core,
    event: "call.outcome",
    outcome: decision.outcome,
    facts: { ...facts, status: "200" },
  };
  return [decision, outcome];
}

const rulesThen = compiled(oldRules);

test(`of ${calls} recorded calls, exactly those are listed that the judge decides otherwise`, async (t) => {
  const state = await freshState(t);
  const file = path.join(path.dirname(state), "latticegate.yaml");
  const yaml = `state: ./state\ntrust_domain: ${trustDomain}\ndashboard: "off"\nservers: { payments: { url: "http://127.0.0.1:9" }, crm: { url: "http://127.0.0.1:9" } }\n`;
  await writeFile(file, `${yaml}policies: []\n`);
  const config = parseConfig(`${yaml}policies: []\n`, file);
  const log = systemLog({ level: "error", form: "json", write: () => undefined });
  const keys = await openKeys(config.state, undefined);
  const audit = await openAuditLog(config.state, keys, {
    trustDomain,
    suites: config.profile.log,
    clock: systemClock,
    log,
  });
  const expected = new Set<string>();
  const rulesNow = compiled(newRules);
  const begin = Date.now() - calls;
  for (let done = 0; done < calls; done += atOnce) {
    const made = Array.from({ length: Math.min(atOnce, calls - done) }, (_, i) => madeAt(done + i));
    for (const each of made)
      if (verdict(each, rulesThen) !== verdict(each, rulesNow)) expected.add(each.callId);
    await Promise.all(
      made.flatMap((each, i) => drafts(each, begin + done + i)).map((draft) => audit.journal.append(draft)),
    );
  }
  await audit.journal.close();
  const files = ["old.yaml", "new.yaml"].map((name) => path.join(path.dirname(state), name));
  for (const [i, rules] of [oldRules, newRules].entries())
    await writeFile(files[i] ?? "", JSON.stringify({ policies: rules }));
  const beganMs = performance.now();
  const { stdout, stderr, code } = await cli([
    "policy",
    "diff",
    ...files,
    "--config",
    file,
    "--replay",
    "1d",
    "--json",
  ]);
  console.log(
    `policy diff --replay of ${calls} calls: ${((performance.now() - beganMs) / 1000).toFixed(1)} s`,
  );
  assert.deepEqual([code, stderr], [1, ""]);
  const told = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { callId: string; becomes: string });
  assert.ok(told.every(({ becomes }) => becomes === "changes"));
  assert.ok(expected.size > calls / 10);
  assert.deepEqual(new Set(told.map(({ callId }) => callId)), expected);
});
