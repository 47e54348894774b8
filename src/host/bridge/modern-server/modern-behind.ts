/** A modern server for legacy clients: each link is the session of one client. */
import type { Behind, BehindOptions } from "../behind.ts";
import { ClientSession } from "./client-session.ts";

export function modernBehind(options: BehindOptions): Behind {
  return (events) => new ClientSession(options, events);
}
