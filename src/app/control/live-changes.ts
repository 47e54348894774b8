/** Tells open pages what changed by itself or by a command: they see it within half a second, whoever did it. */
import type { EventStream } from "../../control/event-stream.ts";
import { openStateAreas } from "../../host/store/state-areas.ts";
import type { Kill } from "../../host/store/state-responses.ts";
import type { Log } from "../../kernel/log.ts";

export interface LiveChanges {
  /** Looks once, and tells. Never throws. */
  readonly look: () => void;
  readonly stop: () => void;
}

interface Options {
  /** The state database. */
  readonly database: string;
  /** Sources of the kill switch that are on. */
  readonly kills: () => readonly Kill[];
  readonly stream: Pick<EventStream, "changed" | "listeners">;
  readonly log: Log;
}

/** However much changes, nobody is told oftener. */
const lookEveryMs = 400;

/** @throws Refusal `bad_state` if the database can't be read */
export function followChanges({ database, kills, stream, log }: Options): LiveChanges {
  const areas = openStateAreas(database);
  areas.changed();
  let stopped = JSON.stringify(kills());
  const tell = (): void => {
    for (const area of areas.changed()) stream.changed(area);
    const now = JSON.stringify(kills());
    if (now !== stopped) stream.changed("status");
    stopped = now;
  };
  const look = (): void => {
    // Who opens a page asks for everything anyway.
    if (stream.listeners() === 0) return;
    try {
      tell();
    } catch (error) {
      log.error("control.unwatched", { reason: error instanceof Error ? error.message : "unknown" });
    }
  };
  const timer = setInterval(look, lookEveryMs).unref();
  return {
    look,
    stop: () => {
      clearInterval(timer);
      areas.close();
    },
  };
}
