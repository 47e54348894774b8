/** What tests of the audit log share: a log key, drafts, a log port that remembers, and opening and verifying. */
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomUUID } from "node:crypto";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { RotationCause } from "../../src/audit/rotation.ts";
import { type Verdict, verifyLog } from "../../src/audit/verify.ts";
import type { LogKey } from "../../src/crypto/log-key.ts";
import { type NoteKeyKind, type NoteSigner, noteSigner, noteVerifier } from "../../src/crypto/note-keys.ts";
import { type FileJournal, openJournal } from "../../src/host/store/journal-files.ts";
import type { JournalOptions } from "../../src/host/store/journal-options.ts";
import type { GenerationSigners } from "../../src/host/store/journal-rotation.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import type { Log } from "../../src/kernel/log.ts";
import type { EntryDraft } from "../../src/model/entry.ts";
import { newSigningKey, signingKeyOf } from "./keys.ts";

export const origin = "log.example/gateway-1";

const kinds = ["ed25519", "ml-dsa-65", "ml-dsa-44"] as const satisfies readonly NoteKeyKind[];

export function newPrivateKeys(): readonly KeyObject[] {
  return kinds.map((kind) => generateKeyPairSync(kind as "ed25519").privateKey);
}

export function signersOf(keys: readonly KeyObject[]) {
  return kinds.map((kind, i) => noteSigner(kind, origin, signingKeyOf(keys[i]!)));
}

export function keysToText(keys: readonly KeyObject[]): string {
  return JSON.stringify(keys.map((key) => key.export({ type: "pkcs8", format: "pem" })));
}

export function keysFromText(text: string): readonly KeyObject[] {
  return (JSON.parse(text) as readonly string[]).map((pem) => createPrivateKey(pem));
}

export const signers = signersOf(newPrivateKeys());

/** New keys for a generation of the log. */
export function newGeneration(
  number: number,
  of: readonly NoteKeyKind[] = kinds,
  name = origin,
): GenerationSigners {
  const made = of.map((kind) => noteSigner(kind, name, newSigningKey(kind)));
  return { number, signers: made, dailySigner: undefined };
}

/** Who rotates the keys in tests of the log alone. */
export function cause(): RotationCause {
  return {
    atUnixMs: Date.UTC(2026, 10, 21, 12),
    callId: randomUUID(),
    principal: "spiffe://example.org/gateway",
    by: "a test",
  };
}

export function newFolder(): string {
  return join(mkdtempSync(join(tmpdir(), "latticegate-log-")), "log");
}

export interface RememberingLog extends Log {
  readonly events: string[];
}

export function rememberingLog(): RememberingLog {
  const events: string[] = [];
  const line = (event: string): void => void events.push(event);
  return { events, error: line, warn: line, info: line, debug: line };
}

export function open(folder: string, more: Partial<JournalOptions> = {}): Promise<FileJournal> {
  const clock = { nowUnixMs: () => Date.UTC(2026, 10, 21, 12) };
  const options = { folder, origin, signers, clock, log: rememberingLog(), checkpointEveryMs: 3_600_000 };
  return openJournal({ ...options, ...more });
}

/** The public key of a log whose keys never rotated. */
export function logKeyOf(by: readonly NoteSigner[]): LogKey {
  return [{ number: 1, keys: by.map(({ vkey }) => noteVerifier(vkey)) }];
}

export function verify(folder: string, by = signers): Promise<Verdict> {
  return verifyLog({ files: openLogReader(folder).files, logKey: logKeyOf(by) });
}

export function draft(i: number, change: Partial<EntryDraft> = {}): EntryDraft {
  return {
    event: "call.decision",
    atUnixMs: 1_790_000_000_000 + i,
    callId: `call-${i}`,
    principal: "spiffe://example.org/agent/a",
    tool: "files/read_file",
    outcome: "allowed",
    facts: { rule: "readers", number: String(i) },
    ...change,
  };
}

export async function appendMany(journal: FileJournal, from: number, to: number): Promise<void> {
  const drafts = Array.from({ length: to - from }, (_, i) => draft(from + i));
  await Promise.all(drafts.map((one) => journal.append(one)));
}
