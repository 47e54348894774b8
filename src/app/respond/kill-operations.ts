/** The kill switch by hand: commands and the API, whether the gateway runs or not; one that runs follows within 100 ms. */
import { existsSync } from "node:fs";
import path from "node:path";

import {
  type Kill,
  type KillSource,
  openResponses,
  type ResponseStore,
  type Unkill,
} from "../../host/store/state-responses.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Config } from "../config.ts";
import { statePaths } from "../state-folder.ts";
import { killsNow } from "./kill-switch.ts";

export type KillPlace = Pick<Config, "state" | "folder" | "response">;

/** The file that stops all calls while it is there. */
export function killFileOf({ state, folder, response: { kill_file: file } }: KillPlace): string {
  return file === undefined ? statePaths(state).kill : path.resolve(folder, file);
}

/** The sources that are on. */
export function killsStanding(place: KillPlace, clock: Clock): readonly Kill[] {
  const [file, nowUnixMs] = [killFileOf(place), clock.nowUnixMs()];
  if (!existsSync(statePaths(place.state).database)) return killsNow({ kills: () => [] }, file, nowUnixMs);
  return withStore(place, (store) => killsNow(store, file, nowUnixMs));
}

/** @returns whether that source wasn't on before @throws Refusal `bad_state` before the first start */
export function killOn(place: KillPlace, kill: Kill): boolean {
  return withStore(place, (store) => store.kill(kill));
}

/** @returns whether that source was on @throws Refusal `bad_state` before the first start */
export function killOff(place: KillPlace, source: Exclude<KillSource, "file">, why: Unkill): boolean {
  return withStore(place, (store) => store.unkill(source, why));
}

/** Puts on record how a drill went. */
export function tellDrill(
  place: KillPlace,
  facts: Readonly<Record<string, string>>,
  nowUnixMs: number,
): void {
  withStore(place, (store) => store.tell({ event: "kill.drill", atUnixMs: nowUnixMs, facts }));
}

function withStore<T>({ state }: KillPlace, work: (store: ResponseStore) => T): T {
  const { database } = statePaths(state);
  if (!existsSync(database)) {
    throw new Refusal("bad_state", `There is no gateway in ${state} yet; run "latticegate up" once.`);
  }
  const store = openResponses(database);
  try {
    return work(store);
  } finally {
    store.close();
  }
}
