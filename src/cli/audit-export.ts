/** `latticegate audit export | verify-bundle | verifier` */
import { readFile, writeFile } from "node:fs/promises";
import { pipeline } from "node:stream/promises";

import { type Exported, exportAudit, type ExportRange } from "../app/audit-export.ts";
import { loadConfig } from "../app/config.ts";
import { readKeyFile } from "../app/log-verification.ts";
import { statePaths } from "../app/state-folder.ts";
import { offlineVerifier } from "../app/offline-verifier.ts";
import { auditBundlePieces } from "../audit/audit-bundle.ts";
import { type BundleVerdict, verifyBundle } from "../audit/verify-audit-bundle.ts";
import { keysHash } from "../crypto/log-key.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";
import { logOption } from "./log-place.ts";
import { timeOptions, timesOf } from "./time-option.ts";

const outOption = {
  out: { type: "string", short: "o", value: "FILE", help: "Write it to this file; to stdout by default." },
} as const;

export const auditExport = {
  options: {
    ...configOption,
    ...outOption,
    ...logOption,
    key: {
      type: "string",
      value: "FILE",
      help: "A public key of the log, of any generation; by default log-key.txt of the state folder.",
    },
    from: { type: "string", value: "N", help: "First entry; the oldest that is there by default." },
    to: { type: "string", value: "M", help: "Last entry; the newest by default." },
    ...timeOptions,
    call: {
      type: "string",
      value: "ID",
      help: "Instead: from a call's first entry to its last, with what stands between.",
    },
    wait: { type: "boolean", help: "Wait until a head covers all of it, for 20 s at most." },
  },
  run: async (call) => {
    const exported = await exportAudit({
      folder: call.text("log") ?? statePaths(loadConfig(configFile(call)).state).log,
      key: call.text("key") ?? statePaths(loadConfig(configFile(call)).state).logKey,
      range: rangeOf(call),
      wait: call.flag("wait"),
    });
    const file = call.text("out");
    const pieces = chunksOf(auditBundlePieces(exported.bundle));
    await (file === undefined ? pipeline(pieces, process.stdout, { end: false }) : written(file, pieces));
    // The bundle alone goes to stdout.
    const tell = file === undefined ? (line: string) => void process.stderr.write(`${line}\n`) : call.out;
    for (const line of summary(exported)) tell(line);
    return 0;
  },
} as const satisfies Command;

export const auditVerifyBundle = {
  options: {
    fingerprint: {
      type: "string",
      value: "HEX",
      help: "Of any generation of the log's keys, from a place you trust; `latticegate audit keys` prints them.",
    },
    key: { type: "string", value: "FILE", help: "Instead: a log key file; its newest generation counts." },
    seen: {
      type: "string",
      value: "FILE",
      help: "A checkpoint kept from earlier: detects a log rolled back behind it.",
    },
  },
  run: async (call) => {
    const [file, ...more] = call.positionals;
    if (file === undefined || more.length > 0) throw new Refusal("bad_config", "Name one bundle's file.");
    const fingerprint = await givenFingerprint(call);
    const seen = call.text("seen");
    const kept = seen === undefined ? undefined : await named(seen);
    const verdict = verifyBundle(await named(file), { fingerprint, ...(kept && { seen: kept }) });
    for (const line of said(verdict)) call.out(line);
    return verdict.kind === "intact" ? 0 : 1;
  },
} as const satisfies Command;

export const auditVerifier = {
  options: { out: { ...outOption.out, help: "Write it to this file; verify.html by default." } },
  run: async (call) => {
    const file = call.text("out") ?? "verify.html";
    const { bytes, sha256 } = await offlineVerifier();
    await written(file, bytes);
    call.out(`${file}: SHA-256 ${sha256}`);
    return 0;
  },
} as const satisfies Command;

/** @throws Refusal `bad_config` if it is none, or more than one way of saying it */
function rangeOf(call: CommandCall): ExportRange {
  const has = (...options: readonly string[]): boolean =>
    options.some((name) => call.text(name) !== undefined);
  const ways = [has("from", "to"), has("since", "until"), has("call")].filter(Boolean).length;
  if (ways !== 1)
    throw new Refusal(
      "bad_config",
      "Say which entries: --from N --to M, --since TIME --until TIME, or --call ID.",
    );
  const callId = call.text("call");
  if (callId !== undefined) return { kind: "call", callId };
  return has("from", "to")
    ? { kind: "indexes", from: indexOf(call, "from"), to: indexOf(call, "to") }
    : { kind: "times", ...timesOf(call, Date.now()) };
}

function indexOf(call: CommandCall, option: string): number | undefined {
  const text = call.text(option);
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw new Refusal("bad_config", `--${option} takes the index of an entry, found "${text}".`);
}

async function givenFingerprint(call: CommandCall): Promise<string> {
  const [fingerprint, key] = [call.text("fingerprint"), call.text("key")];
  if ((fingerprint === undefined) === (key === undefined))
    throw new Refusal(
      "bad_config",
      "Give --fingerprint HEX or --key FILE; it must not come with the bundle.",
    );
  if (fingerprint !== undefined) return fingerprint;
  // INVARIANT: the newest, so that ended keys, which may be stolen by now, say nothing to who has newer ones.
  return keysHash((await readKeyFile(key ?? "")).at(-1)?.keys ?? []);
}

function said(verdict: BundleVerdict): readonly string[] {
  if (verdict.kind === "broken") return verdict.findings.map(({ what, text }) => `${what}: ${text}`);
  const { origin, first, count, size, headAtUnixS, signedBy, generation, givenGeneration, keptHead } =
    verdict;
  const at = headAtUnixS === undefined ? "an unknown time" : new Date(headAtUnixS * 1000).toISOString();
  return [
    `intact: entries ${first} to ${first + count - 1} of ${origin}, under the head of ${size} entries of ${at}`,
    `signed by ${signedBy.join(", ")} (generation ${generation} of the log's keys; the fingerprint is of ${givenGeneration})`,
    ...(keptHead === "untold"
      ? ["whether the log still begins with the kept head can't be told from this bundle"]
      : []),
  ];
}

/** Entry by entry would be a system call each. */
function* chunksOf(pieces: Iterable<string>): Generator<string, void, void> {
  let chunk = "";
  for (const piece of pieces) {
    chunk += piece;
    if (chunk.length < 65_536) continue;
    yield chunk;
    chunk = "";
  }
  yield chunk;
}

function summary({ bundle, size, uncovered, fingerprint }: Exported): readonly string[] {
  const last = bundle.first + bundle.entries.length - 1;
  return [
    `entries ${bundle.first} to ${last}, under the head of ${size} entries`,
    `fingerprint of the keys that signed it, to be handed over another way: ${fingerprint}`,
    ...(uncovered === 0
      ? []
      : [`${uncovered} more aren't under a head yet and were left out; --wait waits for them`]),
  ];
}

async function named(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new Refusal("bad_config", `${file} can't be read.`, { cause });
  }
}

async function written(file: string, content: Uint8Array | Iterable<string>): Promise<void> {
  try {
    await writeFile(file, content, { mode: 0o600 });
  } catch (cause) {
    throw new Refusal("bad_config", `${file} can't be written.`, { cause });
  }
}
