/** What is said of a link that couldn't be opened for its path. */
import { errors } from "undici";

import { Refusal } from "../../kernel/refusal.ts";
import { type Met, type Tried, triedText } from "./known-paths.ts";
import { segmentRemedy, whySegmentsAreFixed } from "./segment-size.ts";

/** The path took the whole hello away, and what the small one negotiated isn't hybrid. */
export function tooWeak(destination: string, group: string, tried: readonly Tried[]): Refusal {
  return new Refusal(
    "upstream_failed",
    `${destination} negotiated ${group} when a hybrid key share didn't get through. A hybrid group was offered and is required, so nothing was sent.`,
    { facts: { sent: false, cause: "classical_after_retry", tried: triedText(tried) } },
  );
}

/** Time is up, or there is nothing left to try. The causes are those of any connection that fails so. */
export async function noWay(destination: string, tried: readonly Tried[]): Promise<Error> {
  const last = tried.at(-1)?.met;
  if (last === undefined) return new errors.ConnectTimeoutError(`${destination} didn't answer in time.`);
  const cause = last === "reset" ? "ECONNRESET" : "UND_ERR_CONNECT_TIMEOUT";
  return new Refusal(
    "upstream_failed",
    `No TLS link to ${destination} could be opened (${triedText(tried)}). ${await advice(last)}`,
    { facts: { sent: false, cause, tried: triedText(tried) } },
  );
}

const meanings: Readonly<Record<Met, string>> = {
  reset: "The other end, or a machine on the path, closes connections at the hello.",
  silence: "Nothing came back: the other end is down, or a machine on the path drops hellos.",
  stall: "It begins and stops: the path loses long packets.",
};

async function advice(met: Met): Promise<string> {
  const why = met === "reset" ? undefined : await whySegmentsAreFixed();
  if (why === undefined) return meanings[met];
  return `${meanings[met]} TCP segments can't be lowered here (${why}); ${segmentRemedy}.`;
}
