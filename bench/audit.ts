/**
 * `node bench/audit.ts [entries]`: what questions to an audit log cost. It writes a log through the journal (calls of
 * 2,000 callers, 400 tools, 60 rules; a million entries by default), has it indexed, asks it what people ask, and
 * makes and verifies receipts from it. Everything is measured in a process of its own, as the command is. Reading:
 * docs/guide/audit-query.md.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { proveEntry } from "../src/audit/prove-entry.ts";
import { maxReceiptBytes, verifyReceipt } from "../src/audit/receipt.ts";
import { openAuditIndex } from "../src/host/store/audit-index.ts";
import type { FileJournal } from "../src/host/store/journal-files.ts";
import { openLogBundles } from "../src/host/store/log-bundles.ts";
import { openLogReader } from "../src/host/store/log-reader.ts";
import { median } from "../src/kernel/statistics.ts";
import type { EntryDraft } from "../src/model/entry.ts";
import { cli } from "../test/support/cli.ts";
import { draft, logKeyOf, open, signers } from "../test/support/log-fixture.ts";

const entries = Number(process.argv[2] ?? 1_000_000);
const atOnce = 4096;
const rounds = 5;

function callOf(i: number): readonly [EntryDraft, EntryDraft] {
  const [caller, tool, rule] = [i % 2000, (i * 7) % 400, (i * 13) % 60];
  const server = `server-${tool % 20}`;
  const isDenied = i % 47 === 0;
  const common = {
    callId: `019aa5c4-7e00-7000-8000-${String(i).padStart(12, "0")}`,
    principal: `spiffe://example.org/agent/worker-${caller}`,
    tool: `${server}/tool-${tool}`,
  };
  const facts = {
    session: `s-${caller}-${Math.floor(i / 100_000)}`,
    server,
    method: "tools/call",
    era: "modern",
  };
  const decision = draft(i, {
    ...common,
    outcome: isDenied ? "denied" : "allowed",
    facts: {
      ...facts,
      rule: `rule-${rule}`,
      world: "w".repeat(43),
      "link.group": "X25519MLKEM768",
      request_bytes: "412",
    },
  });
  const end = isDenied ? "denied" : i % 97 === 0 ? "error" : "allowed";
  const outcome = draft(i, {
    ...common,
    event: "call.outcome",
    outcome: end,
    facts: { ...facts, status: "200", answer_bytes: "1834", duration_ms: String(3 + (i % 40)) },
  });
  return [decision, outcome];
}

/** Sixty calls are under way at a time, so that outcomes stand behind other calls' decisions. */
async function fill(journal: FileJournal): Promise<void> {
  const lag = 60;
  for (let done = 0, next = 0; done < entries;) {
    const drafts: EntryDraft[] = [];
    for (; drafts.length < Math.min(atOnce, entries - done); next++) {
      drafts.push(callOf(next)[0]);
      if (next >= lag) drafts.push(callOf(next - lag)[1]);
    }
    await Promise.all(drafts.map((each) => journal.append(each)));
    done += drafts.length;
  }
}

async function timed<T>(what: string, work: () => T | Promise<T>): Promise<T> {
  const began = performance.now();
  const result = await work();
  console.log(`${what.padEnd(58)} ${((performance.now() - began) / 1000).toFixed(2).padStart(8)} s`);
  return result;
}

async function questions(log: string, index: string): Promise<void> {
  const asked = async (...args: readonly string[]): Promise<void> => {
    const times: number[] = [];
    let rows = 0;
    for (let round = 0; round < rounds; round++) {
      const began = performance.now();
      const where = ["--log", log, "--index", index, "--format", "jsonl"];
      const { stdout, code, stderr } = await cli(["audit", "query", ...where, ...args]);
      times.push((performance.now() - began) / 1000);
      if (code > 1 || stderr !== "") throw new Error(stderr);
      rows = stdout === "" ? 0 : stdout.trimEnd().split("\n").length;
    }
    console.log(
      `${`query ${args.join(" ")}: ${rows} rows`.padEnd(58)} ${median(times).toFixed(2).padStart(8)} s`,
    );
  };
  await asked();
  await asked("--caller", "spiffe://example.org/agent/worker-1234");
  await asked("--tool", "server-3/*", "--verdict", "denied");
  await asked("--rule", "rule-7", "--verdict", "error", "--oldest-first");
  await asked("--caller", "nobody");
  await asked("--call", "019aa5c4-7e00-7000-8000-000000000007");
  await asked("--verdict", "denied", "--limit", "1000000");
}

async function receipts(log: string): Promise<void> {
  const { files } = openLogReader(log);
  const logKey = logKeyOf(signers);
  const [made, verified]: [number[], number[]] = [[], []];
  let bytes = 0;
  for (let i = 0; i < 40; i++) {
    const index = Math.floor((i * entries) / 40);
    const began = cpuMs();
    const proven = await proveEntry(files, index);
    made.push(cpuMs() - began);
    if (proven.kind !== "receipt") throw new Error(JSON.stringify(proven));
    bytes = proven.bytes.length;
    const before = cpuMs();
    const verdict = verifyReceipt(proven.bytes, { logKey });
    verified.push(cpuMs() - before);
    if (verdict.kind !== "holds") throw new Error(verdict.why);
  }
  const cpu = (of: readonly number[]): string =>
    `${median(of).toFixed(2)} ms, at most ${Math.max(...of).toFixed(2)}`;
  console.log(`a receipt has ${bytes} bytes (bound ${maxReceiptBytes})`);
  console.log(`making one, CPU: ${cpu(made)}`);
  console.log(`verifying one offline, CPU: ${cpu(verified)}`);
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

const folder = mkdtempSync(join(tmpdir(), "latticegate-bench-audit-"));
try {
  const [log, index] = [join(folder, "log"), join(folder, "audit-index.sqlite")];
  const journal = await open(log, { checkpointEveryMs: 1000 });
  await timed(`${entries} entries written`, () => fill(journal));
  await journal.close();
  const began = performance.now();
  await timed("indexed", () => {
    const opened = openAuditIndex(index, openLogBundles(log));
    opened.update();
    opened.close();
  });
  const perSecond = entries / ((performance.now() - began) / 1000);
  console.log(
    `${Math.round(perSecond)} entries/s; the index has ${Math.round(statSync(index).size / 1024 ** 2)} MiB`,
  );
  await questions(log, index);
  await receipts(log);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
