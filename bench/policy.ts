/** What a decision costs, by the number of rules: each call is judged by all that are about its tool and its caller. */
import { quantile } from "../src/kernel/statistics.ts";
import { decide, type Question } from "../src/policy/decide.ts";
import type { Facts } from "../src/policy/facts.ts";
import { compileRules, type RuleDocument, ruleSchema } from "../src/policy/rules.ts";
import { nothingRead } from "../test/support/nothing-read.ts";

const sizes = [10, 100, 1000, 10_000] as const;
const decisions = 20_000;
/** Callers that take turns, so that what is remembered of one isn't all that is measured. */
const callers = 50;

export interface PolicyResult {
  readonly rules: number;
  readonly what: string;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly firstUs: number;
}

/** Ten rules are about the tool, seven of them with a condition; the others are about other tools, or other callers. */
function rulesFor(count: number, others: "other tools" | "other callers"): readonly RuleDocument[] {
  const about = [
    { effect: "allow" },
    { effect: "deny", when: "args.amount > 500" },
    { effect: "deny", when: '!("corporate" in place.networks) && args.amount > 100' },
    { effect: "deny", when: "!link.pq" },
    { effect: "deny", when: 'args.to.endsWith("@example.org")' },
    { effect: "hold", when: "args.amount > 400 && time.hour < 6" },
    { effect: "deny", when: "now + resource.shelf_life > quantum.earliest && !link.pq" },
    { effect: "read_only", when: 'tool.labels.exists(label, label == "frozen")' },
    { effect: "deny", mode: "shadow" },
    { effect: "allow" },
  ];
  return Array.from({ length: count }, (_, i) => {
    const own = i < about.length;
    return ruleSchema.parse({
      name: `r${i}`,
      callers:
        own || others === "other tools" ? ["spiffe://acme.test/agent/*"] : [`spiffe://acme.test/bot/${i}-*`],
      tools: own || others === "other callers" ? ["bank/pay"] : [`server${i % 50}/tool${i}-*`],
      because: "For the bench.",
      ...(own ? about[i] : { effect: i % 2 === 0 ? "deny" : "allow", when: "args.amount > 500" }),
    });
  });
}

const facts: Omit<Facts, "caller"> = {
  call: {
    server: "bank",
    tool: "pay",
    kind: "tools",
    name: "pay",
    method: "tools/call",
    size: 512,
    era: "modern",
  },
  args: { amount: 50, to: "ada@example.com" },
  tool: { read_only: false, labels: ["payments", "core"], pinned: true, signed: false, drifted: false },
  link: {
    group: "X25519MLKEM768",
    level: 3,
    path: "none",
    pq: true,
    certificate: "ML-DSA-65",
    profile: "hybrid",
    version: "TLSv1.3",
    ja4: "",
  },
  place: { address: "10.1.2.3", networks: ["corporate"] },
  now: Date.UTC(2026, 10, 22),
  time: { hour: 12, weekday: 0, minute: 0 },
  session: { id: "s", began: 0 },
  flow: nothingRead,
  resource: { class: "", shelf_life: 0 },
  quantum: { earliest: Date.UTC(2030, 0) },
  findings: [],
  intent: { purpose: "" },
};

function questionOf(i: number): Question {
  const id = `spiffe://acme.test/agent/${i % callers}`;
  const caller: Facts["caller"] = {
    id,
    kind: "workload",
    chain: [],
    groups: [],
    scopes: [],
    binding: "",
    claims: {},
    issuer: "root",
    age: 1000,
    expires_in: 1000,
  };
  return {
    caller: { id, chain: [], proof: { kind: "svid", serial: "1", issuer: "root", notAfterUnixMs: 1 } },
    link: { group: "X25519MLKEM768", level: 3, isPostQuantum: true, certificate: "ML-DSA-65" },
    server: "bank",
    target: { kind: "tools", name: "pay" },
    facts: { of: () => ({ ...facts, caller }) },
  };
}

export function measurePolicy(): readonly PolicyResult[] {
  return (["other tools", "other callers"] as const).flatMap((what) =>
    sizes.map((count) => {
      const rules = compileRules(rulesFor(count, what));
      const took = new Float64Array(decisions);
      for (let i = 0; i < decisions; i++) {
        const question = questionOf(i);
        const began = performance.now();
        const { kind } = decide(question, rules);
        took[i] = (performance.now() - began) * 1000;
        if (kind !== "permit") throw new Error("the call of the bench is allowed");
      }
      const settled = [...took.subarray(decisions / 4)].toSorted((a, b) => a - b);
      return {
        rules: count,
        what,
        p50Us: quantile(settled, 0.5),
        p99Us: quantile(settled, 0.99),
        firstUs: took[0] ?? 0,
      };
    }),
  );
}

export function printPolicy(results: readonly PolicyResult[]): void {
  console.log(
    `\nOne decision: ten rules are about the call, seven with conditions; the others are about other tools, or other`,
  );
  console.log(
    `callers. ${decisions} decisions of ${callers} callers in turn; the first of all finds the rules.\n`,
  );
  console.log("    rules  the others are about     p50 µs   p99 µs   first µs");
  for (const { rules, what, p50Us, p99Us, firstUs } of results) {
    const figures = [
      p50Us.toFixed(1).padStart(9),
      p99Us.toFixed(1).padStart(9),
      firstUs.toFixed(0).padStart(11),
    ];
    console.log(`${String(rules).padStart(9)}  ${what.padEnd(20)}${figures.join("")}`);
  }
}
