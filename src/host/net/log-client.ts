/** The asking side of a gateway's log (docs/formats/witness.md). */
import https from "node:https";

import { maxTlogProofBytes } from "../../audit/tlog-proof.ts";
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

/** A crossing is the longest there is. */
const maxReplyBytes = maxTlogProofBytes;
/** For the whole answer: who sends a byte now and then is no better than who says nothing. */
const defaultDeadlineMs = 20_000;

/** Where to ask. */
export interface AskedGateway {
  /** Keeps the link. */
  readonly agent: https.Agent;
  /** `host:port`. */
  readonly address: string;
  readonly signal: AbortSignal;
  /** 20 seconds by default. */
  readonly deadlineMs?: number;
}

/**
 * Asks once.
 * @throws Refusal `upstream_failed`, or what the connection failed with
 */
export function askLog({ method, path, body }: LogQuestion, to: AskedGateway): Promise<LogReply> {
  const { agent, address, signal, deadlineMs = defaultDeadlineMs } = to;
  const { promise, resolve, reject } = Promise.withResolvers<LogReply>();
  const headers = body === undefined ? {} : { "content-length": body.length };
  const request = https.request(`https://${address}${path}`, { agent, signal, method, headers });
  const timer = setTimeout(() => {
    reject(new Refusal("upstream_failed", `The gateway didn't answer ${path} in time.`));
    request.destroy();
  }, deadlineMs);
  request.on("response", (response) => {
    const { statusCode: status = 0 } = response;
    readBody(response, maxReplyBytes).then((read) => resolve({ status, body: read }), reject);
  });
  request.on("error", reject);
  request.end(body);
  return promise.finally(() => clearTimeout(timer));
}

/** For what is no answer to that question. */
export function unexpected({ path }: LogQuestion, { status, body }: LogReply): Refusal {
  const said = printable((fromUtf8(body) ?? "").trim(), 300);
  return new Refusal("upstream_failed", `The gateway answers ${path} with status ${status}: ${said}`, {
    facts: { status },
  });
}
