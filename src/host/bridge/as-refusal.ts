/** Why something that a bridge was asked failed, as its client may know it. */
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";

export function asRefusal(
  error: unknown,
  { log, name }: { readonly log: Log; readonly name: string },
): Refusal {
  if (error instanceof Refusal) {
    // What the client has with the gateway goes on.
    if (error.code !== "no_such_session") return error;
    return new Refusal("upstream_failed", error.message, { cause: error });
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : "not an error";
  log.error("bridge.fault", { server: name, stack });
  return new Refusal("upstream_failed", "The gateway couldn't translate this.", { cause: error });
}
