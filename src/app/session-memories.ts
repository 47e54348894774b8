/** What is remembered of sessions: what they have read, and what the models make of their calls. */
import { randomBytes } from "node:crypto";
import path from "node:path";

import { habits } from "../detect/habits.ts";
import type { CallWatch } from "../detect/session-watch.ts";
import { strangersMostRisk, watchedSessions } from "../detect/watched-sessions.ts";
import type { StateStore } from "../host/store/state-sqlite.ts";
import { fingerprintKey } from "../inspect/fingerprints.ts";
import { type FlowMemory, flowMemory } from "../inspect/flow-memory.ts";
import type { Config } from "./config.ts";
import { readCallModel } from "./detect/calls/call-model-file.ts";
import { loadTextModel } from "./detect/text-models.ts";
import { shippedModel } from "./shipped-models.ts";
import type { OwnIdentity } from "./own-identity.ts";

/** What sessions have read: texts are known again by a key of this process, labels by the state. */
export function sessionsFlow({ state, clock }: OwnIdentity): FlowMemory {
  const key = fingerprintKey(randomBytes(16));
  return flowMemory(key, { store: state.flow, nowUnixMs: clock.nowUnixMs() });
}

export interface WatchedCalls {
  readonly watch: CallWatch;
  /** Of the model. */
  readonly sha256: string;
  /** What was learned of those callers. */
  readonly forget: (callers: readonly string[]) => void;
}

/** What the models say of calls, by what is learned here of callers. */
export async function sessionsWatched(
  { state, keys, clock, log }: Pick<OwnIdentity, "keys" | "clock" | "log"> & { readonly state: StateStore },
  { detect, folder }: Pick<Config, "detect" | "folder">,
): Promise<WatchedCalls> {
  const store = state.habits(await keys.secret("habits"), () => Math.floor(clock.nowUnixMs() / dayMs));
  const own = detect.model;
  const model = await (own === undefined
    ? readCallModel(shippedModel("calls"))
    : readCallModel(path.resolve(folder, own.file), own.publishers));
  const learned = habits(store, (error) => {
    log.error("detect.habits", { why: error instanceof Error ? error.message : String(error) });
  });
  const watch = watchedSessions({
    model,
    textModel: await loadTextModel(),
    mostRisk: own === undefined ? strangersMostRisk : 1,
    habits: learned,
  });
  return { watch, sha256: model.sha256, forget: learned.forget };
}

const dayMs = 24 * 3_600_000;
