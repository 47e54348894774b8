/** The request in which a link's client proves its classical identity, on a server of proven links. */
import type { Duplex } from "node:stream";

import type { Reply } from "../../gate/call.ts";
import { utf8 } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal, refusalRow } from "../../kernel/refusal.ts";
import { type Channel, nameOf } from "../../model/channel.ts";
import { readBody } from "./body.ts";
import type { Arrived } from "./http-links.ts";
import { maxProofBytes } from "./link-proof.ts";

/** Resolves with the link as it is known from here on, and the other end's own proof. */
export type OnProof = (
  link: Duplex,
  asked: { readonly channel: Channel; readonly body: Uint8Array },
) => Promise<{ readonly channel: Channel; readonly answer: Uint8Array }>;

/** Each link has one try: whoever fails it, or tries again, is cut. */
const tried = new WeakSet<Duplex>();

/** Answers the request. @returns the link's channel, with what it proved if it did */
export async function takeProof(
  arrived: Arrived,
  from: { readonly channel: Channel; readonly reply: Reply; readonly log: Log; readonly onProof: OnProof },
): Promise<Channel> {
  const { channel, reply, log } = from;
  const about = { remote: channel.remote, caller: nameOf(channel) };
  const json = ["content-type", "application/json"];
  try {
    const proven = await provenBy(arrived, from);
    log.debug("link.proven", about);
    reply.whole(200, json, proven.answer);
    return proven.channel;
  } catch (error) {
    const refusal = error instanceof Refusal ? error : undefined;
    const reason = refusal?.message ?? (error instanceof Error ? (error.stack ?? "") : "not an error");
    log.warn("link.proof_refused", { ...about, ...refusal?.facts, reason });
    arrived.response.shouldKeepAlive = false;
    const status = refusal === undefined ? 500 : refusalRow(refusal.code).http;
    reply.whole(status, json, utf8(JSON.stringify({ error: refusal?.code ?? "fault" })));
    // Where nothing can be proven here, a link of many requests is as good as before.
    if (refusal?.code !== "no_such_server") arrived.hangUp();
    return channel;
  }
}

async function provenBy(
  { request, socket: link }: Arrived,
  { channel, onProof }: { readonly channel: Channel; readonly onProof: OnProof },
): ReturnType<OnProof> {
  if (tried.has(link)) throw new Refusal("bad_message", "A link is proven once.");
  tried.add(link);
  if (request.method !== "POST") throw new Refusal("method_not_allowed", "A link is proven with POST.");
  return await onProof(link, { channel, body: await readBody(request, maxProofBytes) });
}
