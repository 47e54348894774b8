/** A modern server for legacy clients: each link is the session of one client. */
import type { Behind, BehindOptions } from "./behind.ts";

export function modernBehind(_options: BehindOptions): Behind {
  return () => {
    throw new Error("not yet");
  };
}
