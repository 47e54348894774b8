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
import type { DeadLetter, Sink, SinkLink } from "./sink.ts";

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
    // What was taken, or never will be, isn't to be sent again for what is said about it.
    statusCounts: true,
    failed: ({ cause, why }) => new Refusal("upstream_failed", why, { facts: { cause } }),
  });
  const post = async (events: readonly Told[]): Promise<Verdict> => {
    const text = JSON.stringify(body(events));
    const signed = secret === undefined ? {} : signature(secret, { id: idOf(events), text, clock });
    const answer = await send(url, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers, ...signed },
      body: text,
    });
    return await verdictOn(answer);
  };
  return {
    maxBatch: perRequest,
    inDoubt: 0,
    link: () => link,
    close: () => agent.destroy(),
    send: async (events, signal) => {
      let taken = 0;
      const dead: DeadLetter[] = [];
      // Of several that are refused together, those that are at fault are found one by one.
      const runs = [events, ...(events.length > 1 ? events.map((event) => [event]) : [])];
      for (const run of runs) {
        const verdict = signal.aborted ? stopped : await post(run).catch(unsent);
        if (verdict.kind === "failed") return { taken, failed: verdict.why, dead };
        if (verdict.kind === "refused" && run.length > 1) continue;
        taken += run.length;
        if (verdict.kind === "refused") dead.push(...run.map((event) => ({ event, why: verdict.why })));
        if (taken === events.length) break;
      }
      return { taken, dead };
    },
  };
}

/** `refused`: never to be taken, all of it or something in it. */
type Verdict =
  | { readonly kind: "taken" }
  | { readonly kind: "refused"; readonly why: string }
  | { readonly kind: "failed"; readonly why: string };

const stopped: Verdict = { kind: "failed", why: "stopped" };

async function verdictOn(answer: Response): Promise<Verdict> {
  const { status } = answer;
  const why = `it answered with status ${status}`;
  if (status < 200 || status >= 300) {
    const isFinal = status >= 400 && status < 500 && !mendable.has(status);
    return { kind: isFinal ? "refused" : "failed", why };
  }
  const rejected = rejectedIn(await answer.text());
  return rejected
    ? { kind: "refused", why: "it took the request and rejected the event" }
    : { kind: "taken" };
}

/** OTLP's partial success (opentelemetry-proto, `ExportLogsPartialSuccess`); nobody else answers so. */
function rejectedIn(text: string): boolean {
  if (!text.includes("partialSuccess")) return false;
  try {
    const answer = JSON.parse(text) as {
      readonly partialSuccess?: { readonly rejectedLogRecords?: unknown };
    };
    return Number(answer.partialSuccess?.rejectedLogRecords ?? 0) > 0;
  } catch {
    return false;
  }
}

function unsent(error: unknown): Verdict {
  if (!(error instanceof Refusal)) throw error;
  return { kind: "failed", why: `${String(error.facts["cause"])}: ${error.message}` };
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
