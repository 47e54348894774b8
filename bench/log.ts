/**
 * `node bench/log.ts [entries] [power]`: what the audit log costs at the length of a million entries: appended by
 * the real journal, as many calls at once as a busy gateway has; then verified as a whole; then opened again. Each
 * part is a process of its own, so that its CPU time and its peak of memory are its own.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";

import { verifyLog } from "../src/audit/verify.ts";
import { openLogReader } from "../src/host/store/log-reader.ts";
import type { EntryDraft } from "../src/model/entry.ts";
import {
  keysFromText,
  keysToText,
  logKeyOf,
  newPrivateKeys,
  open,
  signersOf,
} from "../test/support/log-fixture.ts";
import { peakMiB } from "./machine.ts";

const inFlight = 64;
const headsMeasured = 20;

/** As the gateway writes them for a call to a tool: a decision and an outcome. */
function draftOf(i: number): EntryDraft {
  const call = Math.floor(i / 2);
  const core = {
    atUnixMs: 1_790_000_000_000 + call,
    callId: `019aa5c0-${String(call).padStart(12, "0")}-7b1e`,
    principal: `spiffe://example.org/agent/agent-${call % 200}`,
    tool: `files/read_file_${call % 30}`,
    outcome: "allowed",
  } as const;
  const common = { server: "files", method: "tools/call", session: `s-${call % 500}` };
  if (i % 2 === 1) {
    const facts = {
      ...common,
      status: "200",
      duration_ms: String(call % 90),
      answer_bytes: String(call % 5000),
    };
    return { ...core, event: "call.outcome", facts };
  }
  const link = {
    "link.group": "X25519MLKEM768",
    "link.level": "3",
    "link.pq": "true",
    "link.version": "TLSv1.3",
  };
  const how = {
    rule: "readers",
    world: "6d7a1f0c9be24c1e",
    "link.profile": "hybrid",
    "peer.cert.alg": "ML-DSA-65",
  };
  return { ...core, event: "call.decision", facts: { ...common, ...link, ...how, request_bytes: "412" } };
}

interface Cost {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

async function costOf(act: () => Promise<void>): Promise<Cost> {
  const [began, before] = [performance.now(), process.cpuUsage()];
  await act();
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - began) / 1000, cpuSeconds: (user + system) / 1e6 };
}

function told({ seconds, cpuSeconds }: Cost): string {
  return `${seconds.toFixed(1)} s, ${cpuSeconds.toFixed(1)} s of CPU`;
}

const parts = {
  append: async (folder: string, entries: number) => {
    const durability = process.argv.includes("power") ? "power" : "process";
    const journal = await open(path.join(folder, "log"), {
      signers: signersOf(keysFromText(await readFile(path.join(folder, "keys"), "utf8"))),
      checkpointEveryMs: 1000,
      durability,
    });
    const cost = await costOf(async () => {
      for (let done = 0; done < entries; done += inFlight) {
        const some = Math.min(inFlight, entries - done);
        await Promise.all(Array.from({ length: some }, (_, i) => journal.append(draftOf(done + i))));
      }
    });
    const rate = Math.round(entries / cost.seconds);
    const each = (cost.cpuSeconds / entries) * 1e6;
    console.log(
      `append (${durability})  ${told(cost)}: ${rate} entries a second, ${each.toFixed(1)} us of CPU each`,
    );
    console.log(`behind          ${entries - (journal.head()?.size ?? 0)} entries had no head at the end`);
    await journal.checkpoint();
    const heads = await costOf(async () => {
      for (let i = 0; i < headsMeasured; i++) {
        await journal.append(draftOf(entries + i));
        await journal.checkpoint();
      }
    });
    const [wall, cpu] = [heads.seconds, heads.cpuSeconds].map((s) => ((s / headsMeasured) * 1000).toFixed(1));
    console.log(`a head          ${wall} ms, ${cpu} ms of CPU`);
    await journal.close();
  },
  verify: async (folder: string) => {
    const signers = signersOf(keysFromText(await readFile(path.join(folder, "keys"), "utf8")));
    let size = -1;
    const cost = await costOf(async () => {
      const { files } = openLogReader(path.join(folder, "log"));
      const verdict = await verifyLog({ files, logKey: logKeyOf(signers) });
      if (verdict.kind !== "intact") throw new Error(JSON.stringify(verdict));
      ({ size } = verdict);
    });
    console.log(
      `verify          ${told(cost)}, ${Math.round(peakMiB([process.pid]))} MiB at most: ${size} intact`,
    );
  },
  restart: async (folder: string) => {
    const signers = signersOf(keysFromText(await readFile(path.join(folder, "keys"), "utf8")));
    const cost = await costOf(async () => {
      const journal = await open(path.join(folder, "log"), { signers });
      await journal.close();
    });
    console.log(`restart         ${told(cost)}`);
  },
} as const;

async function all(entries: number): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), "latticegate-bench-log-"));
  try {
    await writeFile(path.join(folder, "keys"), keysToText(newPrivateKeys()), { mode: 0o600 });
    for (const part of Object.keys(parts)) {
      await run(part, folder, entries);
      if (part !== "append") continue;
      const { files, bytes } = await sizeOf(path.join(folder, "log"));
      console.log(`on disk         ${(bytes / entries).toFixed(0)} bytes an entry in ${files} files`);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function run(part: string, folder: string, entries: number): Promise<void> {
  const args = [
    fileURLToPath(import.meta.url),
    String(entries),
    ...process.argv.slice(3),
    `--part=${part}`,
    folder,
  ];
  const child = spawn(process.execPath, args, { stdio: "inherit" });
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`${part} ended with ${String(code)}`);
}

async function sizeOf(folder: string): Promise<{ readonly files: number; readonly bytes: number }> {
  const found = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((each) =>
    each.isFile(),
  );
  let bytes = 0;
  for (const { parentPath, name } of found) bytes += (await stat(path.join(parentPath, name))).size;
  return { files: found.length, bytes };
}

const entries = Number(process.argv[2] ?? 1_000_000);
const asked = process.argv.find((each) => each.startsWith("--part="))?.slice("--part=".length);
if (asked === undefined) await all(entries);
else if (asked === "append" || asked === "verify" || asked === "restart") {
  await parts[asked](process.argv.at(-1) ?? "", entries);
}
