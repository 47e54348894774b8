/** The asking side of a gateway's log (docs/formats/witness.md). */
import https from "node:https";

import { fromUtf8 } from "../../kernel/bytes.ts";
import { printable } from "../../kernel/printable.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { readBody } from "./body.ts";

export interface LogQuestion {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: Uint8Array;
}

export interface LogReply {
  readonly status: number;
  readonly body: Uint8Array;
}

/** A crossing has up to 320 KiB. */
const maxReplyBytes = 512 * 1024;
const timeoutMs = 20_000;

/**
 * Asks once.
 * @param to the gateway as `host:port`, and what keeps the link to it
 * @throws Refusal `upstream_failed`, or what the connection failed with
 */
export function askLog(
  { method, path, body }: LogQuestion,
  to: { readonly agent: https.Agent; readonly address: string; readonly signal: AbortSignal },
): Promise<LogReply> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-length": body.length };
    const { agent, address, signal } = to;
    const request = https.request(`https://${address}${path}`, { agent, signal, method, headers });
    request.setTimeout(timeoutMs, () => request.destroy(new Error("the gateway said nothing in time")));
    request.on("response", (response) => {
      const { statusCode: status = 0 } = response;
      readBody(response, maxReplyBytes).then((read) => resolve({ status, body: read }), reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** For what is no answer to that question. */
export function unexpected({ path }: LogQuestion, { status, body }: LogReply): Refusal {
  const said = printable((fromUtf8(body) ?? "").trim(), 300);
  return new Refusal("upstream_failed", `The gateway answers ${path} with status ${status}: ${said}`, {
    facts: { status },
  });
}
