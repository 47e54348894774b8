/** TLS on a stream that somebody else opened: a path between two ends that neither could open by itself. */
import { once } from "node:events";
import type net from "node:net";
import tls from "node:tls";

import { Refusal } from "../../kernel/refusal.ts";
import { connectTimeoutMs, type LinkOpener } from "./open-link.ts";

const keepAliveMs = 60_000;

/** Opens each link on a stream of `open`; there is one way there, so no other hello is tried. */
export function streamOpener(options: tls.ConnectionOptions, open: () => Promise<net.Socket>): LinkOpener {
  const whole = { ...options, secureContext: tls.createSecureContext(options) };
  return async ({ host, servername }, { timeoutMs = connectTimeoutMs } = {}) => {
    const stream = await open();
    if (stream.destroyed) throw gone();
    stream.setNoDelay(true).setKeepAlive(true, keepAliveMs);
    const link = tls.connect({
      ...whole,
      ...(servername !== undefined && { servername }),
      host,
      socket: stream,
    });
    const timer = setTimeout(() => link.destroy(silent()), timeoutMs);
    link.once("close", () => stream.destroy());
    try {
      await Promise.race([
        once(link, "secureConnect"),
        once(link, "close").then(() => Promise.reject(gone())),
      ]);
      link.on("error", () => link.destroy()); // For what comes before its user listens.
      return link;
    } catch (error) {
      link.on("error", () => undefined).destroy();
      throw error;
    } finally {
      clearTimeout(timer);
    }
  };
}

function gone(): Refusal {
  return new Refusal("upstream_failed", "The stream ended before its link was up.", {
    facts: { cause: "ECONNRESET", sent: false },
  });
}

function silent(): Refusal {
  return new Refusal("upstream_failed", "The other end of the stream didn't answer in time.", {
    facts: { cause: "UND_ERR_CONNECT_TIMEOUT", sent: false },
  });
}
