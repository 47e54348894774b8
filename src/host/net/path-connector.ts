/** How undici's pools open their connections: https over whatever path there is, http as undici does. */
import net from "node:net";
import type tls from "node:tls";

import { buildConnector } from "undici";

import { Refusal } from "../../kernel/refusal.ts";
import type { LinkTarget } from "./link-attempt.ts";
import { connectTimeoutMs, linkOpener } from "./open-link.ts";

const httpsPort = 443;

/** For servers that aren't ours, too: what they may negotiate is what `options` offers. */
export function pathConnector(
  options: tls.ConnectionOptions = {},
  timeoutMs: number = connectTimeoutMs,
): buildConnector.connector {
  const plain = buildConnector({ timeout: timeoutMs });
  const open = linkOpener({ ALPNProtocols: ["http/1.1", "h2"], ...options });
  const secured = handingOver((target) => open(targetOf(target), { timeoutMs }));
  return (target, callback) => (target.protocol === "https:" ? secured : plain)(target, callback);
}

/** A connector of whatever opens a link. */
export function handingOver(
  open: (target: buildConnector.Options) => Promise<tls.TLSSocket>,
): buildConnector.connector {
  return (target, callback) => void handOver(open(target), callback);
}

export function targetOf({
  hostname,
  port,
  servername,
}: Pick<buildConnector.Options, "hostname" | "port" | "servername">): LinkTarget {
  const host = hostname.replace(/^\[|\]$/g, "");
  return {
    host,
    port: port === "" ? httpsPort : Number(port),
    servername: servername || (net.isIP(host) === 0 ? host : undefined),
  };
}

async function handOver(opening: Promise<tls.TLSSocket>, callback: buildConnector.Callback): Promise<void> {
  const opened = await opening.catch((reason: unknown) =>
    reason instanceof Error ? reason : new Error(String(reason)),
  );
  if (opened instanceof Error) callback(opened, null);
  // One that broke at the last moment would never say so again.
  else if (opened.destroyed) callback(broken(), null);
  else callback(null, opened);
}

function broken(): Refusal {
  return new Refusal("upstream_failed", "The link broke off.", {
    facts: { sent: false, cause: "ECONNRESET" },
  });
}
