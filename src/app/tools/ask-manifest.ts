/** The gateway's own question to a server, in the session of a call: what it has for a signed manifest (SEP-3140). */
import { setTimeout as pause } from "node:timers/promises";

import type { Answer, Journaled } from "../../gate/call.ts";
import type { Upstreams } from "../../gate/ports.ts";
import { filtered, valueOf } from "../../host/net/headers.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import { readFrame, type RequestFrame, type ResponseFrame, tryReadFrame } from "../../wire/frame.ts";

export const manifestMethod = "declarations/manifest";

/** A client waits for its list meanwhile. */
const patienceMs = 5000;

/** @returns the result's bytes; undefined if the server has none to give, for now */
export async function askManifest(
  call: Journaled,
  upstreams: Pick<Upstreams, "forward">,
  log: Log,
): Promise<Uint8Array | undefined> {
  const { frame } = call;
  if (frame?.kind !== "request") return undefined;
  const over = new AbortController();
  const asking = answerTo(manifestCall(call, frame, over.signal), upstreams).catch((error: unknown) => {
    log.debug("manifest.unavailable", {
      server: call.server,
      reason: error instanceof Error ? error.message : "unknown",
    });
    return undefined;
  });
  const response = await Promise.race([asking, pause(patienceMs, undefined, { ref: false })]);
  over.abort();
  const span = response?.result?.span;
  return span && response.bytes.subarray(span.start, span.end);
}

function manifestCall(call: Journaled, frame: RequestFrame, gone: AbortSignal): Journaled {
  const id = `latticegate-manifest-${call.id}`;
  const meta = envelopeOf(frame);
  const params = meta === undefined ? {} : { params: { _meta: meta } };
  const body = utf8(JSON.stringify({ jsonrpc: "2.0", id, method: manifestMethod, ...params }));
  const isModern = frame.era === "modern";
  const kept = filtered(call.headers, (name) => !["mcp-method", "mcp-name", "last-event-id"].includes(name));
  const headers = [...kept, ...(isModern ? ["mcp-method", manifestMethod] : [])];
  // Its caller never signed this.
  const { signature: _, ...unsigned } = call;
  return {
    ...unsigned,
    isOwn: true,
    headers,
    header: (name) => valueOf(headers, name),
    body,
    frame: readFrame(body),
    reply: { ...call.reply, gone },
  };
}

/** What makes a modern request one; the rest of `_meta` is the client's own call's. */
function envelopeOf({ bytes, params, era }: RequestFrame): object | undefined {
  const meta = params?.meta;
  if (era === "legacy" || meta === undefined) return undefined;
  const members = JSON.parse(fromUtf8(bytes.subarray(meta.span.start, meta.span.end)) ?? "{}") as object;
  return Object.fromEntries(
    Object.entries(members).filter(([key]) => key.startsWith("io.modelcontextprotocol/")),
  );
}

async function answerTo(
  call: Journaled,
  upstreams: Pick<Upstreams, "forward">,
): Promise<ResponseFrame | undefined> {
  const answer: Answer = await upstreams.forward(call);
  if (answer.kind === "long") {
    await answer.chunks[Symbol.asyncIterator]().return?.();
    return undefined;
  }
  if (answer.kind === "whole") return responseIn(answer.message ?? answer.body, call);
  for await (const { data } of answer.events) {
    const response = data === null ? undefined : responseIn(data, call);
    if (response !== undefined) return response;
  }
  return undefined;
}

function responseIn(message: Uint8Array, { frame }: Journaled): ResponseFrame | undefined {
  const read = tryReadFrame(message);
  return read?.kind === "response" && frame?.kind === "request" && read.id === frame.id ? read : undefined;
}
