/** A legacy server for modern clients: each link is what one caller asks. */
import type { Behind, BehindOptions } from "./behind.ts";

export function legacyBehind(_options: BehindOptions): Behind {
  throw new Error("not yet");
}
