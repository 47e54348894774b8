/** Erasures of subjects, taken up and put on record by whoever writes the log. */
import type { Journal } from "../gate/ports.ts";
import { openLogReader } from "../host/store/log-reader.ts";
import { dropSubjects, type Erasure, type SubjectStore } from "../host/store/state-subjects.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { EntryDraft } from "../model/entry.ts";
import { statePaths } from "./state-folder.ts";
import type { LiveSubjects } from "./subjects.ts";

interface Recording {
  readonly journal: Pick<Journal, "append">;
  readonly subjects: Pick<LiveSubjects, "refresh">;
  readonly store: Pick<SubjectStore, "unrecorded" | "recorded">;
  /** Whose log it is. */
  readonly owner: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is shown of an erased caller elsewhere goes within this time; a look costs a few microseconds. */
const lookEveryMs = 250;
/** How soon what a full disk has kept from being written is tried again. */
const retryMs = 5000;

/** A crash between an entry and the note that it is written has it written twice, never not at all. @returns what ends it */
export function recordErasures({
  journal,
  subjects,
  store,
  owner,
  clock,
  log,
}: Recording): () => Promise<void> {
  let writing: Promise<void> | undefined;
  const write = async (): Promise<void> => {
    for (const erasure of store.unrecorded()) {
      await journal.append(erasureEntry(erasure, owner, clock.nowUnixMs()));
      store.recorded(erasure.id);
      log.warn("log.subject_erased", { pseudonym: erasure.pseudonym, by: erasure.by });
    }
  };
  let notBefore = 0;
  const look = async (): Promise<void> => {
    if (performance.now() < notBefore) return;
    try {
      subjects.refresh();
      await write();
    } catch (error) {
      notBefore = performance.now() + retryMs;
      log.error("log.erasure_waits", { reason: error instanceof Error ? error.message : "unknown" });
    }
  };
  const timer = setInterval(() => {
    writing ??= look().finally(() => (writing = undefined));
  }, lookEveryMs).unref();
  return async () => {
    clearInterval(timer);
    await writing;
  };
}

/** Whom a log that is continued says to be erased stays so, whatever a backup from before had of it. */
export async function repeatErasures(state: string): Promise<void> {
  const paths = statePaths(state);
  const gone = new Set<string>();
  for await (const { reading } of openLogReader(paths.log).forwards()) {
    if (reading.kind !== "entry" || reading.entry.event !== erasureEvent) continue;
    gone.add(reading.entry.facts["pseudonym"] ?? "");
  }
  if (gone.size > 0) dropSubjects(paths.database, gone);
}

const erasureEvent = "subject.erase";

function erasureEntry(erasure: Erasure, owner: string, nowUnixMs: number): EntryDraft {
  const { callId, pseudonym, atUnixMs, by, entries } = erasure;
  return {
    event: erasureEvent,
    atUnixMs: nowUnixMs,
    callId,
    principal: owner,
    tool: null,
    outcome: "allowed",
    facts: { pseudonym, by, entries: String(entries), erased_at: new Date(atUnixMs).toISOString() },
  };
}
