/** Links to one origin on which many requests are sent at a time, each proven before the first of them. */
import { Refusal } from "../../kernel/refusal.ts";
import { collected, exchange } from "./http-exchange.ts";
import { H2Exchange } from "./h2-exchange.ts";
import { H2Link } from "./h2-link.ts";
import type { OpenH2 } from "./h2-links.ts";
import type { PingTimes } from "./h2-pings.ts";
import { connectTimeoutMs } from "./open-link.ts";
import { patientDial } from "./patient-dial.ts";
import { type CheckLink, type LinkOptions, provenLinks, type Speech } from "./proven-links.ts";

const clientPings: PingTimes = { everyMs: 15_000, deadMs: 10_000 };

/** Opens links of those options. @param patienceMs how long they are dialled again while nobody is there */
export function h2Opener(
  origin: string,
  options: Omit<LinkOptions, "terms">,
  { check, patienceMs }: { readonly check: CheckLink; readonly patienceMs: number },
): OpenH2 {
  const { pings = clientPings } = options;
  const { hostname, port, host: authority } = new URL(origin);
  const tls = { ...options.tls, ALPNProtocols: ["h2"] };
  const speech: Speech<H2Link> = {
    begin: ({ link, facts }) => H2Link.over(link, { authority, facts, pings, timeoutMs: connectTimeoutMs }),
    post: async (link, { path, body, maxAnswerBytes }) => {
      const headers = ["content-type", "application/json"];
      const limits = { answerTimeoutMs: connectTimeoutMs, answerBytes: maxAnswerBytes };
      const request = { method: "POST", path, headers, body } as const;
      const answer = await exchange(only(link), request, limits).then(collected).catch(unusable);
      return answer.kind === "whole" ? answer : unusable(new Error("The answer to a proof is a stream."));
    },
    outlivesRefusal: true,
  };
  const open = provenLinks({ ...options, tls }, check, speech);
  return (signal) => patientDial(() => open({ hostname, port, servername: "" }), patienceMs, signal);
}

/** Sends at once, on this link. */
function only(link: H2Link): Parameters<typeof exchange>[0] {
  return {
    dispatch: (options, handler) => {
      link.send(new H2Exchange(options, handler, () => undefined));
      return true;
    },
  };
}

/** What was to be sent on that link wasn't: another one is worth a try if the other end left. */
function unusable(reason: unknown): never {
  const cause = reason instanceof Refusal ? reason.facts["cause"] : "unknown";
  throw new Refusal("upstream_failed", `The link can't be used: no proof came back (${String(cause)}).`, {
    cause: reason,
    facts: { cause: cause === "REFUSED_STREAM" ? "ECONNRESET" : String(cause), sent: false },
  });
}
