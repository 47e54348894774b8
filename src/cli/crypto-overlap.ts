/** `--overlap` and `--danger-now`: how long what only the old profile has is taken. */
import { overlapOf } from "../app/crypto/overlap.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { CommandCall } from "./command.ts";

export const overlapOptions = {
  overlap: {
    type: "string",
    value: "DURATION",
    help: "How long what only the old profile has is still taken; 2h by default, in which everybody renews by themselves.",
  },
  "danger-now": {
    type: "boolean",
    help: "No overlap: links and identities that the new profile doesn't have end at once, with the calls on them.",
  },
} as const;

/** @throws Refusal `bad_config` */
export function overlapIn(call: CommandCall): number {
  const text = call.text("overlap");
  const isNow = call.flag("danger-now");
  if (isNow && text !== undefined)
    throw new Refusal("bad_config", "Take --overlap or --danger-now, not both.");
  if (isNow) return 0;
  return overlapOf(text);
}
