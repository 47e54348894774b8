/** An MCP server reached over Streamable HTTP: bytes there, bytes back, SSE event by event. */
import type { Dispatcher } from "undici";

import type { Answer, Journaled } from "../../gate/call.ts";
import type { ServerLink } from "../../model/channel.ts";
import { type SseEvent, sseReader } from "../../wire/sse.ts";
import type { Log } from "../../kernel/log.ts";
import { readClaims } from "../../integrity/claims.ts";
import type { AnswerProof } from "../calling/answer-check.ts";
import type { CallingEnd, CheckedAnswer } from "../calling/calling-end.ts";
import type { Spoken } from "../calling/outgoing-call.ts";
import { exchange, type ExchangeLimits, type HttpAnswer } from "./http-exchange.ts";
import { filtered, forwardable } from "./headers.ts";
import { patientSend, type Send } from "./patient-send.ts";
import type { Lent, UpstreamCredential } from "./upstream-credential.ts";
import type { Upstream } from "./upstreams.ts";

export interface HttpUpstreamOptions {
  readonly url: URL;
  readonly limits: ExchangeLimits;
  /** Our own credentials for that server, names and values in turn. */
  readonly headers: readonly string[];
  /** A credential that changes with time or caller. */
  readonly credential?: UpstreamCredential | undefined;
  /** How long requests that can't have been carried out are sent again; absent where none is. */
  readonly patience?: { readonly ms: number; readonly log: Log };
  /** What is known of them beforehand. */
  readonly link?: ServerLink | undefined;
  /** Signs calls in the gateway's name, and checks their answers, where the server's own end does that too. */
  readonly calling?: CallingEnd | undefined;
  /** The connections to use; whose they are stays with the caller. */
  readonly dispatcher: () => Dispatcher;
  readonly close: () => Promise<void>;
}

export function httpUpstream(options: HttpUpstreamOptions): Upstream {
  const { url, limits, credential } = options;
  const path = url.pathname + url.search;
  const { patience, calling } = options;
  const send = async (call: Journaled, headers: readonly string[]): Promise<CheckedAnswer> => {
    let proof: CheckedAnswer["proof"];
    const once: Send = async (request) => {
      if (calling === undefined) return await exchange(options.dispatcher(), request, limits);
      const answer: CheckedAnswer = await calling.exchange(request, spokenFor(call));
      ({ proof } = answer);
      return answer;
    };
    const sending = patience === undefined ? once : patientSend(once, patience.ms, patience.log);
    const request = { method: call.verb, path, headers: outgoing(call, headers), body: call.body };
    return { ...(await sending({ ...request, gone: call.reply.gone })), ...(proof && { proof }) };
  };
  return {
    forward: async (call) => {
      const answer =
        credential === undefined
          ? await send(call, options.headers)
          : await withCredential(await credential.lend(call.caller, call.verb), ({ headers }) =>
              send(call, [...options.headers, ...headers]),
            );
      const { proof } = answer;
      return {
        ...asAnswer(answer, limits.answerBytes),
        ...(options.link && { link: options.link }),
        ...(proof && { facts: () => factsOf(proof()) }),
      };
    },
    close: async () => {
      await calling?.stop();
      await options.close();
    },
  };
}

/** In whose name the gateway signs; what it made of a signed call it serves isn't what its caller signed. */
function spokenFor({ caller, signature, isOwn }: Journaled): Spoken {
  if (isOwn === true) return {};
  const claims = signature?.end !== "serving" ? undefined : readClaims(signature.proof.payload);
  const changed = claims && { paths: ["/params"], original: claims.body, issuer: claims.issuer };
  return { subject: caller.id, ...(changed && { changed }) };
}

function factsOf({ proof, fault }: AnswerProof): Readonly<Record<string, string>> {
  return {
    ...(proof && { answer_signed: proof.signer, answer_signature: proof.mode }),
    ...(fault !== undefined && { signature_fault: fault }),
  };
}

/** What a server refuses with 401 it didn't carry out: the request may be sent again with another credential. */
async function withCredential(
  first: Lent,
  send: (lent: Lent) => Promise<CheckedAnswer>,
): Promise<CheckedAnswer> {
  for (let lent = first; ;) {
    const answer = await send(lent);
    const isRefused = answer.status === 401 || answer.status === 403;
    const next = isRefused
      ? await lent.again(answer).catch((error: unknown) => leave(answer, error))
      : undefined;
    // What it says of tokens is said to the gateway: a client would take it for its own affair.
    if (next === undefined) return { ...answer, headers: filtered(answer.headers, isForClients) };
    await ignored(answer);
    lent = next;
  }
}

async function leave(answer: HttpAnswer, error: unknown): Promise<never> {
  await ignored(answer);
  throw error;
}

async function ignored(answer: HttpAnswer): Promise<void> {
  if (answer.kind !== "whole") await answer.chunks[Symbol.asyncIterator]().return?.();
}

function isForClients(name: string): boolean {
  return name !== "www-authenticate" && name !== "dpop-nonce";
}

/** What came over HTTP as the gate takes it: a stream event by event. */
export function asAnswer(answer: HttpAnswer, maxEventBytes: number): Answer {
  return answer.kind === "stream" ? { ...answer, events: events(answer.chunks, maxEventBytes) } : answer;
}

/** Complete SSE events as they arrive. What is left at the end is an event that was cut off, and is dropped. */
async function* events(
  chunks: AsyncIterable<Uint8Array>,
  maxEventBytes: number,
): AsyncGenerator<SseEvent, void> {
  const reader = sseReader(maxEventBytes);
  for await (const chunk of chunks) yield* reader.push(chunk);
}

function outgoing(call: Journaled, credentials: readonly string[]): string[] {
  const headers = forwardable(call.headers);
  if (call.session !== undefined) headers.push("mcp-session-id", call.session);
  headers.push(...credentials);
  return headers;
}
