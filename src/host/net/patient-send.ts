/**
 * A request is sent again as long as it can't have been carried out: the gateway couldn't be reached, or it
 * said goodbye before it took the request. What it may have carried out is never sent twice.
 */
import { setTimeout as pause } from "node:timers/promises";

import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { HttpAnswer, HttpRequest } from "./http-exchange.ts";
import { goodbyeHeader, valueOf } from "./headers.ts";
import { noPath } from "../peer/peer-dialler.ts";
import { absences } from "./patient-dial.ts";

export type Send = (request: HttpRequest) => Promise<HttpAnswer>;

/** What passes by waiting: nobody is there, or who was there left. */
const passing: ReadonlySet<string> = new Set([
  ...absences,
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "UND_ERR_CONNECT_TIMEOUT",
  "REFUSED_STREAM",
  noPath,
]);

/**
 * A gateway that ends while a link is being opened closes it without a word, as does one that doesn't accept the
 * identity: a few further tries tell the two apart, and the second is told soon.
 */
const maxClosings = 4;

const firstRetryMs = 50;
const maxRetryMs = 2000;

/** @param patienceMs how long a gateway may be away */
export function patientSend(send: Send, patienceMs: number, log: Log): Send {
  return async (request) => {
    const deadline = performance.now() + patienceMs;
    let closings = 0;
    for (let waitMs = firstRetryMs; ; waitMs = Math.min(waitMs * 2, maxRetryMs)) {
      const outcome = await send(request).catch((error: unknown) => error);
      const isClosing = wasClosedUnused(outcome) && ++closings <= maxClosings;
      if (!isClosing && !wasNotCarriedOut(outcome)) {
        if (isAnswer(outcome)) return outcome;
        throw outcome;
      }
      if (request.gone?.aborted === true || performance.now() + waitMs > deadline) {
        if (isAnswer(outcome))
          throw new Refusal("upstream_failed", "The gateway is stopping.", { facts: { sent: false } });
        throw outcome;
      }
      log.debug("tunnel.waiting", { waitMs });
      await pause(waitMs);
    }
  };
}

function wasNotCarriedOut(outcome: unknown): boolean {
  if (isAnswer(outcome))
    return outcome.status === 408 && valueOf(outcome.headers, goodbyeHeader) !== undefined;
  if (!(outcome instanceof Refusal) || outcome.facts["sent"] !== false) return false;
  return passing.has(String(outcome.facts["cause"]));
}

function wasClosedUnused(outcome: unknown): boolean {
  if (!(outcome instanceof Refusal)) return false;
  return outcome.facts["sent"] === false && outcome.facts["cause"] === "UND_ERR_SOCKET";
}

function isAnswer(outcome: unknown): outcome is HttpAnswer {
  return typeof outcome === "object" && outcome !== null && "status" in outcome;
}
