/** A serving end of message signatures written for tests: it signs as it should, and otherwise as a test has it. */
import { randomBytes } from "node:crypto";

import type { HttpAnswer, HttpRequest } from "../../src/host/net/http-exchange.ts";
import type { Send } from "../../src/host/net/patient-send.ts";
import {
  type Attestation,
  checkStatement,
  type LeafRange,
  type OutgoingBatch,
  outgoingBatch,
  readAttestation,
  signStatement,
  writeAttestation,
} from "../../src/integrity/batch.ts";
import { claimsNow, requestDigest, writeClaims } from "../../src/integrity/claims.ts";
import {
  type Envelope,
  envelopeEdits,
  envelopePlace,
  envelopeRemovals,
  payloadOf,
  readEnvelope,
} from "../../src/integrity/envelope.ts";
import {
  attestMethod,
  isSigned,
  messageKeysMethod,
  readKeysRequest,
  type ServingModes,
  writeKeysAnswer,
} from "../../src/integrity/extension-methods.ts";
import { offerIn, saysCapabilities, withAnnouncement } from "../../src/integrity/extension-offer.ts";
import type { KeySet } from "../../src/integrity/key-set.ts";
import { bodyDigest } from "../../src/integrity/message-digest.ts";
import { checkMessage, promise, signDirect } from "../../src/integrity/message-signature.ts";
import { utf8 } from "../../src/kernel/bytes.ts";
import type { MessageProof } from "../../src/model/message-proof.ts";
import { readFrame, type RequestFrame, tryReadFrame } from "../../src/wire/frame.ts";
import { edited, removals } from "../../src/wire/json-edit.ts";
import type { MessageEnd } from "./message-ends.ts";

/** What arrived, in order. */
interface Arrived {
  readonly method: string;
  /** As the server would see it. */
  readonly body: string;
  readonly proof?: MessageProof;
  /** What was wrong with its signature. */
  readonly fault?: string;
}

export interface ScriptedEnd {
  readonly send: Send;
  readonly arrived: readonly Arrived[];
  readonly attestations: readonly Attestation[];
  /** Long answers, by the nonces of their calls. */
  readonly long: Map<string, string>;
  /** What a test has otherwise, all of it changed at any time. */
  script: Script;
}

export interface Script {
  /** The server's answer, without a signature; by default an empty result. */
  readonly answer?: (frame: RequestFrame, proof: MessageProof | undefined) => string | HttpAnswer;
  /** What leaves in the place of a signed answer. */
  readonly leaving?: (signed: Uint8Array, frame: RequestFrame) => Uint8Array;
  /** What leaves in the place of an answer to the extension's own methods; undefined where nothing does. */
  readonly extension?: (answer: HttpAnswer, frame: RequestFrame) => HttpAnswer | undefined;
  readonly modes?: ServingModes;
  readonly sinceUnixMs?: number;
  /** In events, rather than whole. */
  readonly isStream?: boolean;
  /** Promises what it should have signed. */
  readonly weakens?: boolean;
  /** Somebody on the way promises in its name. */
  readonly forges?: boolean;
  /** What a call gets, when it comes. */
  readonly late?: Promise<HttpAnswer>;
  readonly onCall?: () => void;
  /** What a client gets that opens a stream. */
  readonly stream?: () => HttpAnswer;
  /** Answers before its server would. */
  readonly refuse?: (frame: RequestFrame, proof: MessageProof | undefined) => object | undefined;
}

const json = ["content-type", "application/json"];

export function wholeAnswer(body: string | Uint8Array, status = 200): HttpAnswer {
  return { kind: "whole", status, headers: json, body: typeof body === "string" ? utf8(body) : body };
}

export function streamAnswer(events: readonly (string | Uint8Array)[], headers: string[] = []): HttpAnswer {
  const text = events.map(
    (data) => `data: ${typeof data === "string" ? data : Buffer.from(data).toString()}\n\n`,
  );
  async function* chunks(): AsyncGenerator<Uint8Array> {
    for (const event of text) yield utf8(event);
  }
  return {
    kind: "stream",
    status: 200,
    headers: ["content-type", "text/event-stream", ...headers],
    chunks: chunks(),
  };
}

/** @param caller who calls, at the end that is tested */
export function scriptedEnd(
  own: MessageEnd & { readonly id: string },
  caller: string,
  script: Script = {},
): ScriptedEnd {
  const arrived: Arrived[] = [];
  const attestations: Attestation[] = [];
  const long = new Map<string, string>();
  const batches = new Map<string, OutgoingBatch>();
  let callerKeys: KeySet | undefined;
  const batchFor = (calls: string): OutgoingBatch => {
    const batch = batches.get(calls) ?? outgoingBatch(randomBytes(16));
    batches.set(calls, batch);
    return batch;
  };
  const about = { direction: "res", issuer: own.id, audience: caller } as const;

  const keysAnswer = async (frame: RequestFrame): Promise<HttpAnswer> => {
    callerKeys = readKeysRequest(paramsOf(frame))?.keySet;
    const place = envelopePlace(frame);
    const envelope = place && readEnvelope(frame.bytes, place);
    if (envelope?.kind !== "direct") return wholeAnswer(error(frame, -32600, "unsigned keys"));
    const { modes = { default: "direct", readOnly: [] }, sinceUnixMs } = end.script;
    const said = {
      audience: own.id,
      keySet: own.keySet,
      modes,
      ...(sinceUnixMs !== undefined && { sinceUnixMs }),
    };
    const message = result(frame, writeKeysAnswer(said));
    const signed = await signedMessage(message, frame, envelope, "direct");
    return wholeAnswer(signed);
  };
  const signedMessage = async (
    message: string,
    { method }: RequestFrame,
    call: Envelope,
    mode: MessageProof["mode"],
  ): Promise<Uint8Array> => {
    const frame = tryReadFrame(utf8(message));
    const body = bodyDigest(utf8(message));
    if (frame === undefined || body === undefined) return utf8(message);
    const claims = claimsNow(
      { ...about, method, body, request: requestDigest(payloadOf(call)) },
      randomBytes(16),
      Date.now(),
    );
    const { weakens, forges } = end.script;
    const batch = call.kind === "promise" ? batchFor(call.batch) : outgoingBatch(randomBytes(16));
    const isPromise = mode === "batched" || weakens === true;
    const promised =
      isPromise && method !== messageKeysMethod ? promise(claims, batch, Date.now()) : undefined;
    const envelope =
      forges === true && promised?.kind === "promise"
        ? { ...promised, payload: writeClaims({ ...claims, nonce: "AAAAAAAAAAAAAAAAAAAAAA" }) }
        : promised;
    const sealed = envelope ?? (await signDirect(claims, own.signers["ML-DSA-65"]));
    return edited(frame.bytes, envelopeEdits(frame, sealed) ?? []);
  };
  const attestAnswer = async (frame: RequestFrame): Promise<HttpAnswer> => {
    const said = readAttestation(paramsOf(frame));
    if (said === undefined || callerKeys === undefined)
      return wholeAnswer(error(frame, -32600, "no statement"));
    const expected = { direction: "req", issuer: caller, audience: own.id } as const;
    const { fault } = checkStatement(said.statement, said.range, {
      ...expected,
      keySet: callerKeys,
      nowUnixMs: Date.now(),
    });
    if (fault !== undefined) return wholeAnswer(error(frame, -31403, fault));
    attestations.push(said);
    const digests = new Map([...long].filter(([nonce]) => said.long.includes(nonce)));
    const range: LeafRange = batchFor(said.range.batch).take();
    const statement = await signStatement(
      range,
      { ...about, long: digests },
      own.signers["ML-DSA-65"],
      Date.now(),
    );
    return wholeAnswer(result(frame, writeAttestation({ range, statement, long: [], faults: [] })));
  };
  const callAnswer = async (frame: RequestFrame): Promise<HttpAnswer> => {
    const place = envelopePlace(frame);
    const envelope = place && readEnvelope(frame.bytes, place);
    const isOffered = offerIn(frame).isOffered;
    const body = edited(
      frame.bytes,
      removals(frame.bytes, [...envelopeRemovals(frame), ...offerIn(frame).removals]),
    );
    const checked =
      envelope &&
      checkMessage(envelope, frame.bytes, {
        direction: "req",
        issuer: caller,
        audience: own.id,
        method: frame.method,
        keySet: callerKeys,
        trust: "first-use",
        nowUnixMs: Date.now(),
      });
    arrived.push({
      method: frame.method,
      body: Buffer.from(body).toString(),
      ...(checked?.ok && { proof: checked.ok }),
      ...(checked?.fault !== undefined && { fault: checked.fault }),
    });
    const refusal = end.script.refuse?.(frame, checked?.ok);
    if (refusal !== undefined)
      return wholeAnswer(JSON.stringify({ jsonrpc: "2.0", id: frame.id, ...refusal }));
    end.script.onCall?.();
    if (end.script.late !== undefined) return await end.script.late;
    const answer = (end.script.answer ?? ((asked) => result(asked, {})))(frame, checked?.ok);
    if (typeof answer !== "string") return answer;
    const announced =
      isOffered && saysCapabilities(frame)
        ? Buffer.from(withAnnouncement(utf8(answer), frame)).toString()
        : answer;
    const signed =
      envelope === undefined || !isSigned(frame)
        ? utf8(announced)
        : await signedMessage(announced, frame, envelope, checked?.ok?.mode ?? "direct");
    const leaving = end.script.leaving?.(signed, frame) ?? signed;
    return end.script.isStream === true ? streamAnswer([leaving]) : wholeAnswer(leaving);
  };
  const send = async (request: HttpRequest): Promise<HttpAnswer> => {
    if (request.method !== "POST") return end.script.stream?.() ?? streamAnswer([]);
    const frame = readFrame(request.body ?? new Uint8Array(0));
    if (frame.kind !== "request") return { kind: "whole", status: 202, headers: [], body: new Uint8Array(0) };
    if (frame.method !== messageKeysMethod && frame.method !== attestMethod) return await callAnswer(frame);
    const answer = await (frame.method === attestMethod ? attestAnswer(frame) : keysAnswer(frame));
    const { extension } = end.script;
    const instead = extension === undefined ? answer : extension(answer, frame);
    if (instead === undefined) throw new Error("nothing comes through");
    return instead;
  };
  const end: ScriptedEnd = { send, arrived, attestations, long, script };
  return end;
}

export function result(frame: RequestFrame, value: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", id: frame.id, result: value });
}

export function error(frame: RequestFrame, code: number, message: string): string {
  return JSON.stringify({ jsonrpc: "2.0", id: frame.id, error: { code, message } });
}

function paramsOf({ bytes }: RequestFrame): unknown {
  return (JSON.parse(Buffer.from(bytes).toString()) as { readonly params?: unknown }).params;
}
