/** How a link that lost its right to be is told of to the operator. */
import type { Log, LogFields } from "../../kernel/log.ts";
import type { Refusal } from "../../kernel/refusal.ts";
import { type Channel, nameOf } from "../../model/channel.ts";

export function logEnded(channel: Channel, refusal: Refusal, more: LogFields, log: Log): void {
  const { code, facts } = refusal;
  const { remote } = channel;
  log.warn("link.ended", { remote, caller: nameOf(channel), reason: code, ...facts, ...more });
}
