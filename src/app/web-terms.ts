/** What is negotiated with those that aren't ours, when another profile comes into force on a running process. */
import type { DoorTerms } from "../host/net/web-tls.ts";
import type { ConnectedServers } from "./upstreams.ts";
import type { OpenWebListeners } from "./web-listener.ts";

/** With the new first, and nothing beyond that. */
export function takeUpWebTerms(
  terms: DoorTerms,
  { web, connected }: { readonly web?: OpenWebListeners; readonly connected: ConnectedServers },
): void {
  web?.setTerms(terms);
  web?.endLinksBeyond(terms);
  connected.setWebTerms(terms);
  connected.endWebLinksBeyond(terms);
  connected.review();
}
