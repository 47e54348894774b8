/**
 * The kill switch: while any of its sources is on, no call passes. Each source is withdrawn by itself; all of them stand in
 * the state database, so that they outlive the process, but the file, which is on while it is there.
 */
import { closeSync, lstatSync, openSync, readSync, statSync } from "node:fs";

import {
  type Kill,
  type KillSource,
  openResponses,
  type ResponseStore,
} from "../../host/store/state-responses.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { printable } from "../../kernel/printable.ts";

export interface KillSwitch {
  /** Why nothing passes; undefined while no source is on. */
  readonly why: () => string | undefined;
  /** Those that are on. */
  readonly standing: () => readonly Kill[];
  /** Takes up what commands and the file say now. Never throws. @returns whether that is something else than before */
  readonly look: () => boolean;
  /** In force when it returns, on disk if that can be. */
  readonly on: (source: KillSource, why: { readonly by: string; readonly because: string }) => void;
  readonly stop: () => void;
}

interface Options {
  /** The state database. */
  readonly database: string;
  /** Absolute path of the file that stops all calls by being there. */
  readonly file: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** @throws Refusal `bad_state` if the database can't be read */
export function openKillSwitch({ database, file, clock, log }: Options): KillSwitch {
  const store = openResponses(database);
  /** What couldn't be written stands all the same, while this process does. */
  const unsaved = new Map<KillSource, Kill>();
  let standing = all(store.kills(), unsaved);
  const take = (): readonly Kill[] => {
    followFile(store, fileStanding(file, clock.nowUnixMs()), clock.nowUnixMs());
    return all(store.kills(), unsaved);
  };
  const look = (): boolean => {
    const before = JSON.stringify(standing);
    try {
      standing = take();
    } catch (error) {
      log.error("kill.unreadable", { reason: error instanceof Error ? error.message : "unknown" });
      // INVARIANT: what is on stays on, and a file counts, whatever becomes of the database.
      const found = fileStanding(file, clock.nowUnixMs());
      if (found !== undefined && !standing.some(({ source }) => source === "file"))
        standing = [...standing, found];
    }
    const isChanged = JSON.stringify(standing) !== before;
    if (isChanged) log.warn(standing.length > 0 ? "kill.on" : "kill.off", { why: whyOf(standing) ?? "" });
    return isChanged;
  };
  look();
  return {
    why: () => whyOf(standing),
    standing: () => standing,
    look,
    on: (source, why) => {
      const kill = { source, ...why, sinceUnixMs: clock.nowUnixMs() };
      try {
        store.kill(kill);
      } catch (error) {
        unsaved.set(source, kill);
        log.error("kill.unsaved", { reason: error instanceof Error ? error.message : "unknown" });
      }
      look();
    },
    stop: store.close,
  };
}

/** All that are on, as commands see them while no gateway looks: the file as it is now. */
export function killsNow(
  store: Pick<ResponseStore, "kills">,
  file: string,
  nowUnixMs: number,
): readonly Kill[] {
  const found = fileStanding(file, nowUnixMs);
  const kept = store.kills();
  const known = kept.find(({ source }) => source === "file");
  return [
    ...kept.filter(({ source }) => source !== "file"),
    ...(found === undefined ? [] : [known ?? found]),
  ];
}

function all(kept: readonly Kill[], unsaved: ReadonlyMap<KillSource, Kill>): readonly Kill[] {
  return [
    ...kept,
    ...[...unsaved.values()].filter(({ source }) => !kept.some((each) => each.source === source)),
  ];
}

/** Callers are told, too. */
function whyOf(standing: readonly Kill[]): string | undefined {
  if (standing.length === 0) return undefined;
  return standing.map(({ source, because }) => `${source}: ${because}`).join("; ");
}

/** The database says of the file what it was when somebody looked, so that its coming and going is told once each. */
function followFile(store: ResponseStore, found: Kill | undefined, nowUnixMs: number): void {
  const known = store.kills().find(({ source }) => source === "file");
  // Another's reason is another's stop.
  if (found !== undefined && found.because !== known?.because) store.kill(found);
  if (found === undefined && known !== undefined)
    store.unkill("file", { by: "operator:file", because: "The file is gone.", nowUnixMs });
}

const maxFileBytes = 500;

/** INVARIANT: a file of which nobody can tell whether it is there counts as there. */
function fileStanding(file: string, nowUnixMs: number): Kill | undefined {
  const kill = (because: string): Kill => ({
    source: "file",
    by: "operator:file",
    because,
    sinceUnixMs: nowUnixMs,
  });
  try {
    lstatSync(file);
  } catch (error) {
    // What stands in the way of it (ENOTDIR, a loop) says nothing of the file.
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    return kill("nobody can tell whether the file is there");
  }
  return kill(firstLineOf(file) ?? "the file is there");
}

/** What whoever made it wrote into it. */
function firstLineOf(file: string): string | undefined {
  let opened: number | undefined;
  try {
    if (!statSync(file).isFile()) return undefined;
    opened = openSync(file, "r");
    const bytes = Buffer.alloc(maxFileBytes);
    const [line = ""] = bytes.toString("utf8", 0, readSync(opened, bytes)).split("\n");
    return line.trim() === "" ? undefined : printable(line.trim(), maxFileBytes);
  } catch {
    return undefined;
  } finally {
    if (opened !== undefined) closeSync(opened);
  }
}
