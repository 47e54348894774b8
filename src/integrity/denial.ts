/** Answers that grant nothing, and need no signature therefore: an error, or a result with which somebody on the way refused. */
import type { ResponseFrame } from "../wire/frame.ts";

/** The member of a result's `_meta`, or an error's `data`, that says why. */
export const authorizationKey = "dev.latticegate/authorization";

export function isDenial({ result }: ResponseFrame): boolean {
  return result === undefined || (result.isError && result.meta?.members.has(authorizationKey) === true);
}
