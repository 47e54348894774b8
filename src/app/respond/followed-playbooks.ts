/** The playbooks in force: an operator's own file is read again when it changes; one that isn't right changes nothing. */
import { watchFiles } from "../../host/store/watched-files.ts";
import type { Log } from "../../kernel/log.ts";
import { loadPlaybooks, type Playbooks } from "./playbook-file.ts";

export interface FollowedPlaybooks {
  readonly current: () => Playbooks;
  /** Has `act` told of each change. */
  readonly onChange: (act: () => void) => void;
  readonly stop: () => void;
}

/** @param said `response.playbooks` @throws Refusal `bad_config` */
export function followPlaybooks(said: string, folder: string, log: Log): FollowedPlaybooks {
  let current = loadPlaybooks(said, folder);
  let told = (): void => {};
  const { file } = current;
  const takeUp = (): void => {
    try {
      current = loadPlaybooks(said, folder);
      log.warn("playbooks.changed", { file, playbooks: current.inForce.length });
      told();
    } catch (error) {
      const reason = error instanceof Error ? error.message : "unknown";
      log.error("playbooks.refused", { file, reason });
    }
  };
  const watching = file === undefined ? undefined : watchFiles([file], takeUp);
  return {
    current: () => current,
    onChange: (act) => (told = act),
    stop: () => watching?.stop(),
  };
}
