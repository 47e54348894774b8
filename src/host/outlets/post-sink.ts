/** Events posted over HTTP: signed JSON (as Standard Webhooks has it), chat messages, OTLP. No redirect is followed. */
import { Agent, buildConnector } from "undici";
import tls from "node:tls";

import { hmacSha256 } from "../../crypto/hash.ts";
import { toBase64, utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Told } from "../../respond/events/told.ts";
import { boundedFetch } from "../oauth/bounded-fetch.ts";
import { type OutletTls, negotiatedLink, outletTlsOptions } from "./outlet-tls.ts";
import type { Delivery, Sink, SinkLink } from "./sink.ts";

export interface PostOptions {
  readonly url: string;
  readonly tls: OutletTls;
  /** What goes with each request. */
  readonly headers: Readonly<Record<string, string>>;
  /** Of the signature; absent where none is asked for. */
  readonly secret?: Uint8Array;
  /** The body of a request. */
  readonly body: (events: readonly Told[]) => object;
  /** Events in one request. */
  readonly perRequest: number;
  readonly clock: Clock;
  readonly timeoutMs?: number;
}

/** What is wrong is here or on the way, and an operator can mend it: it is tried again. All other 4xx are about what was sent. */
const mendable: ReadonlySet<number> = new Set([
  401, 402, 403, 404, 405, 407, 408, 410, 421, 423, 425, 426, 429,
]);

export function postSink(options: PostOptions): Sink {
  const { url, tls: secure, headers, secret, body, perRequest, clock, timeoutMs = 10_000 } = options;
  let link: SinkLink | undefined;
  const connect = buildConnector(outletTlsOptions(secure));
  const agent = new Agent({
    connections: 1,
    connect: (target, done) =>
      connect(target, (...result) => {
        const [error, socket] = result;
        if (error === null && socket instanceof tls.TLSSocket) link = negotiatedLink(socket);
        done(...result);
      }),
  });
  const send = boundedFetch({
    dispatcher: () => agent,
    timeoutMs,
    failed: ({ cause, why }) => new Refusal("upstream_failed", why, { facts: { cause } }),
  });
  const post = async (events: readonly Told[]): Promise<Delivery> => {
    const text = JSON.stringify(body(events));
    const signed = secret === undefined ? {} : signature(secret, { id: idOf(events), text, clock });
    const answer = await send(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers, ...signed },
      body: text,
    });
    return verdictOn(answer, events);
  };
  return {
    maxBatch: perRequest,
    inDoubt: 0,
    link: () => link,
    close: () => agent.destroy(),
    send: async (events, signal) => {
      if (signal.aborted) return { taken: 0, failed: "stopped" };
      try {
        return await post(events);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        return { taken: 0, failed: `${String(error.facts["cause"])}: ${error.message}` };
      }
    },
  };
}

/** Of several, the first one is at fault as far as can be told: the others are tried without it. */
function verdictOn({ status }: Response, events: readonly Told[]): Delivery {
  if (status >= 200 && status < 300) return { taken: events.length };
  const failed = `it answered with status ${status}`;
  const [event] = events;
  if (event === undefined || status < 400 || status >= 500 || mendable.has(status))
    return { taken: 0, failed };
  return { taken: 1, dead: { event, why: failed } };
}

function idOf(events: readonly Told[]): string {
  return events[0]?.uid ?? "";
}

/** Standard Webhooks: HMAC-SHA-256 over id, time in seconds and body, joined by dots. */
function signature(
  secret: Uint8Array,
  { id, text, clock }: { readonly id: string; readonly text: string; readonly clock: Clock },
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(clock.nowUnixMs() / 1000));
  const mac = hmacSha256(secret, utf8(`${id}.${timestamp}.${text}`));
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    "webhook-signature": `v1,${toBase64(mac)}`,
  };
}
