/** The rules of a relay, from a file that is read again when it changes. */
import { type Segments, segmentsSchema } from "../../policy/segments.ts";
import { watchFiles } from "../../host/store/watched-files.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { readYaml, withoutAliases } from "../policy/rule-file.ts";

/** Where no file says otherwise, the peers decide alone whom they may be introduced to. */
export const everybody: Segments = [
  { name: "peers-decide", callers: ["*"], peers: ["*"], servers: ["*"], effect: "allow" },
];

/** @throws Refusal `bad_config` with what is wrong, and where */
function readSegments(file: string): Segments {
  const { document } = readYaml(file);
  const written = withoutAliases(file, (options) => document.toJS(options) as unknown);
  const read = segmentsSchema.safeParse(written);
  if (read.success) return read.data.segments;
  const places = read.error.issues.map(
    ({ path, message }) => `  ${path.map(String).join(".") || "(top)"}: ${message}`,
  );
  throw new Refusal("bad_config", `${file} isn't right:\n${places.join("\n")}`, { cause: read.error });
}

export interface FollowedSegments {
  readonly current: () => Segments;
  readonly stop: () => void;
}

/** A file that becomes unreadable changes nothing: the rules there were go on. @throws Refusal `bad_config` at first */
export function followSegments(file: string, log: Log, changed: () => void): FollowedSegments {
  let segments = readSegments(file);
  const { stop } = watchFiles([file], () => {
    try {
      segments = readSegments(file);
      log.info("relay.rules_taken", { rules: segments.length });
      changed();
    } catch (error) {
      log.error("relay.rules_refused", { reason: error instanceof Error ? error.message : "unknown" });
    }
  });
  return { current: () => segments, stop };
}
