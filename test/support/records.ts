/** What a test's gateway has told about its calls: audit entries and log lines. */
import assert from "node:assert/strict";

import { verifyLogFolder } from "../../src/app/log-verification.ts";
import { type SubjectsPlace, withNames } from "../../src/app/subject-names.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { readEntry } from "../../src/audit/entry.ts";
import { openLogReader } from "../../src/host/store/log-reader.ts";
import type { TestGateway } from "./gateway.ts";

/** Whoever keeps a log: a gateway, or an exposed server. */
interface LogPlace {
  readonly config: SubjectsPlace;
}

export interface Recorded {
  readonly event: string;
  readonly outcome: string;
  readonly principal: string;
  readonly tool: string | null;
  readonly callId: string;
  readonly facts: Readonly<Record<string, string>>;
}

/** The audit entries about calls, oldest first; or about what else is named. */
export async function recorded(
  gateway: TestGateway,
  about: "call" | "identity" = "call",
): Promise<readonly Recorded[]> {
  return (await entriesOf(gateway)).filter(({ event }) => event.startsWith(`${about}.`));
}

/** All audit entries, or those of one event, oldest first. */
export async function entriesOf(gateway: LogPlace, only?: string): Promise<readonly Recorded[]> {
  const all = await allEntries(gateway);
  return only === undefined ? all : all.filter(({ event }) => event === only);
}

/** As an operator with the keys reads them: with names. INVARIANT: without the keys nobody reads any. */
async function allEntries(gateway: LogPlace): Promise<readonly Recorded[]> {
  return await withNames(gateway.config, async ({ named }) => {
    const entries: Recorded[] = [];
    for await (const { bytes } of openLogReader(statePaths(gateway.config.state).log).forwards()) {
      const reading = readEntry(bytes);
      assert.equal(reading.kind, "entry");
      const text = new TextDecoder().decode(bytes);
      for (const name of personalNames) assert.doesNotMatch(text, name, "an entry names somebody");
      if (reading.kind === "entry") entries.push(named(reading.entry));
    }
    return entries;
  });
}

/** Callers, users and where they came from, wherever tests make some. */
const personalNames = [
  /spiffe:\/\/[^/"\s]+\/(?!gateway\b|server\/)[^"\s]*/,
  /oauth:[^"\s]*/,
  /"(remote|session|serial)":"(?!sealed:).*"principal_id":"pseudonym:/,
];

/** INVARIANT of the log: each call has exactly one outcome, and whatever reached a server was decided before. */
export async function checkLog(gateway: TestGateway): Promise<readonly Recorded[]> {
  const entries = await recorded(gateway);
  const outcomes = entries.filter((entry) => entry.event === "call.outcome");
  assert.equal(new Set(outcomes.map((entry) => entry.callId)).size, outcomes.length, "one outcome a call");
  for (const decision of entries.filter((entry) => entry.event === "call.decision")) {
    assert.ok(
      outcomes.some((outcome) => outcome.callId === decision.callId),
      "each decision has its outcome",
    );
  }
  await gateway.audit.journal.checkpoint();
  const paths = statePaths(gateway.config.state);
  assert.equal((await verifyLogFolder({ folder: paths.log, key: paths.logKey })).kind, "intact");
  return entries;
}

/** The log lines of one event, oldest first. */
export function logged(gateway: TestGateway, event: string): readonly Readonly<Record<string, unknown>>[] {
  return gateway.log
    .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
    .filter((line) => line["event"] === event);
}
