/** A calling end by hand: signs calls with the engine, and reads what is said of the answers. Each part can be falsified. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";

import { generateKeyPair, signingKey } from "../../src/crypto/keys.ts";
import { signatureSuite } from "../../src/crypto/suites/signatures.ts";
import {
  checkStatement,
  type FaultReport,
  outgoingBatch,
  type OutgoingBatch,
  readAttestation,
  signStatement,
  writeAttestation,
} from "../../src/integrity/batch.ts";
import { type Claims, claimsNow, readClaims, requestDigest } from "../../src/integrity/claims.ts";
import {
  type Envelope,
  envelopeEdits,
  envelopePlace,
  payloadOf,
  readEnvelope,
} from "../../src/integrity/envelope.ts";
import {
  attestMethod,
  messageKeysMethod,
  readKeysAnswer,
  writeKeysRequest,
} from "../../src/integrity/extension-methods.ts";
import type { Fields } from "../../src/integrity/fields.ts";
import { type KeySet, keySetOf, type MessageSigner, messageSigner } from "../../src/integrity/key-set.ts";
import { bodyDigest } from "../../src/integrity/message-digest.ts";
import { type Checked, checkMessage, promise, signDirect } from "../../src/integrity/message-signature.ts";
import { readFrame, type RequestFrame, tryReadFrame } from "../../src/wire/frame.ts";
import { edited } from "../../src/wire/json-edit.ts";
import type { Client } from "./gateway.ts";

export interface Keys {
  readonly signers: readonly [MessageSigner, MessageSigner];
  readonly keySet: KeySet;
}

export function freshKeys(): Keys {
  const pair = [signatureSuite("ML-DSA-65"), signatureSuite("ML-DSA-87")].map((suite) =>
    signingKey(generateKeyPair(suite)),
  );
  const [weaker, stronger] = pair;
  if (weaker === undefined || stronger === undefined) throw new Error("two keys were made");
  return { signers: [messageSigner(weaker), messageSigner(stronger)], keySet: keySetOf(pair) };
}

/** What is to be otherwise than an honest end has it. */
export interface Otherwise {
  readonly claims?: Partial<Claims>;
  readonly signer?: MessageSigner;
  /** The message, after it was signed. */
  readonly bytes?: (signed: string) => string;
  readonly atUnixMs?: number;
}

export interface Answered {
  readonly status: number;
  readonly text: string;
  readonly json: {
    readonly result?: Fields;
    readonly error?: { readonly code: number; readonly data?: Fields };
  };
  /** How it is signed; undefined if it isn't. */
  readonly mode: "direct" | "batched" | undefined;
  /** What that is worth. */
  readonly checked: Checked | undefined;
  /** The nonce of the call. */
  readonly nonce: string;
  /** What was sent, for whoever sends it again. */
  readonly sent: string;
}

export interface SigningCaller {
  readonly batch: OutgoingBatch;
  /** Tells the serving end its keys, and learns that one's. */
  readonly introduce: (otherwise?: Otherwise) => Promise<Answered>;
  readonly call: (
    message: object,
    mode: "direct" | "batched" | "none",
    otherwise?: Otherwise,
  ) => Promise<Answered>;
  readonly send: (body: string) => Promise<Answered>;
  /** Says what it promised, and learns what was promised to it. @returns the fault, or the leaves that are signed */
  readonly attest: (otherwise?: {
    readonly batch?: OutgoingBatch;
    readonly long?: readonly string[];
    readonly faults?: readonly FaultReport["fault"][];
  }) => Promise<Attested>;
  readonly audience: () => string;
  readonly servedBy: () => KeySet;
}

interface Attested {
  readonly text: string;
  readonly fault?: string | undefined;
  readonly leaves: readonly string[];
  readonly long: ReadonlyMap<string, string>;
}

/** @param id SPIFFE ID of the caller @param audience for whom calls are, until the serving end says it */
export function signingCaller(
  {
    client,
    server,
    id,
    audience,
  }: { readonly client: Client; readonly server: string; readonly id: string; readonly audience?: string },
  keys: Keys,
): SigningCaller {
  const batch = outgoingBatch(randomBytes(16));
  const known: { audience: string; keySet: KeySet | undefined } = {
    audience: audience ?? `spiffe://latticegate.local/gateway?server=${server}`,
    keySet: undefined,
  };
  const post = async (body: string): Promise<{ readonly status: number; readonly text: string }> => {
    const frame = tryReadFrame(Buffer.from(body));
    const isModern = frame?.kind === "request" && frame.era === "modern";
    const name = frame?.kind === "request" ? (frame.params?.name ?? frame.params?.uri) : undefined;
    return await client.request(server, {
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        ...(isModern && {
          "mcp-protocol-version": "2026-07-28",
          "mcp-method": frame.method,
          ...(name !== undefined && { "mcp-name": name }),
        }),
      },
      body,
    });
  };
  /** Who it must be that answers; of the first question, who says that it is. */
  const issuerOf = (keysAnswer: string | undefined): string => {
    const said = keysAnswer === undefined ? undefined : readKeysAnswer(resultOf(keysAnswer));
    return (said?.audience ?? known.audience).split("?")[0] ?? "";
  };
  const answered = async (
    body: string,
    { method }: RequestFrame,
    call: Envelope | undefined,
    keySet: KeySet | undefined,
  ): Promise<Answered> => {
    const { status, text } = await post(body);
    const data = [...text.matchAll(/^data: (.*)$/gm)].at(-1)?.[1] ?? text;
    const frame = tryReadFrame(Buffer.from(data));
    const place = frame && envelopePlace(frame);
    const envelope = frame && place && readEnvelope(frame.bytes, place);
    const said = envelope && readClaims(payloadOf(envelope));
    const checked =
      frame === undefined || envelope === undefined
        ? undefined
        : checkMessage(envelope, frame.bytes, {
            direction: "res",
            issuer: issuerOf(method === messageKeysMethod ? data : undefined),
            audience: id,
            method,
            ...(call && { request: requestDigest(payloadOf(call)) }),
            keySet:
              keySet ?? (method === messageKeysMethod ? readKeysAnswer(resultOf(data))?.keySet : undefined),
            trust: "first-use",
            nowUnixMs: Date.now(),
          });
    assert.ok(said === undefined || said.direction === "res");
    const nonce = (call && readClaims(payloadOf(call))?.nonce) ?? "";
    const mode = envelope === undefined ? undefined : envelope.kind === "direct" ? "direct" : "batched";
    return { status, text, json: parsed(data), mode, checked, nonce, sent: body };
  };
  const call: SigningCaller["call"] = async (message, mode, otherwise = {}) => {
    const frame = readFrame(Buffer.from(JSON.stringify(message)));
    if (frame.kind !== "request") throw new Error("a call is a request");
    // Of the second in which an end begins nothing counts; clocks may be apart by more than that.
    const now = otherwise.atUnixMs ?? Date.now() + 1000;
    const about = {
      direction: "req",
      issuer: id,
      audience: known.audience,
      method: frame.method,
      body: bodyDigest(frame.bytes) ?? "",
    } as const;
    const claims = { ...claimsNow(about, randomBytes(16), now), ...otherwise.claims };
    const envelope =
      mode === "none"
        ? undefined
        : mode === "direct"
          ? await signDirect(claims, otherwise.signer ?? keys.signers[0])
          : promise(claims, batch, Date.now());
    const edits = envelope ? (envelopeEdits(frame, envelope) ?? []) : [];
    const signed = Buffer.from(edited(frame.bytes, edits)).toString();
    return await answered(otherwise.bytes?.(signed) ?? signed, frame, envelope, known.keySet);
  };
  const sinceUnixMs = Date.now();
  return {
    batch,
    call,
    send: async (body) => {
      const frame = tryReadFrame(Buffer.from(body));
      if (frame?.kind !== "request") throw new Error("a call is a request");
      const place = envelopePlace(frame);
      return await answered(body, frame, place && readEnvelope(frame.bytes, place), known.keySet);
    },
    introduce: async (otherwise) => {
      const params = writeKeysRequest({ keySet: keys.keySet, sinceUnixMs });
      const message = { jsonrpc: "2.0", id: "keys", method: messageKeysMethod, params };
      const answer = await call(message, "direct", otherwise);
      const said = readKeysAnswer(answer.json.result);
      if (said !== undefined) {
        known.audience = said.audience;
        known.keySet = said.keySet;
      }
      return answer;
    },
    attest: async (otherwise = {}) => {
      const range = (otherwise.batch ?? batch).take();
      const about = { direction: "req", issuer: id, audience: known.audience } as const;
      const statement = await signStatement(range, about, keys.signers[0], Date.now());
      const faults = (otherwise.faults ?? []).map((fault) => ({ fault }));
      const params = writeAttestation({ range, statement, long: otherwise.long ?? [], faults });
      const { text } = await post(
        JSON.stringify({ jsonrpc: "2.0", id: "attest", method: attestMethod, params }),
      );
      const said = readAttestation(resultOf(text));
      if (said === undefined) return { text, fault: faultOf(parsed(text)), leaves: [], long: new Map() };
      const { ok, fault } = checkStatement(said.statement, said.range, {
        direction: "res",
        issuer: known.audience.split("?")[0] ?? "",
        audience: id,
        keySet: known.keySet,
        nowUnixMs: Date.now(),
      });
      return {
        text,
        fault,
        leaves: said.range.leaves,
        long: ok?.long ?? new Map(),
      };
    },
    audience: () => known.audience,
    servedBy: () => {
      if (known.keySet === undefined) throw new Error("introduce it first");
      return known.keySet;
    },
  };
}

/** Why a message was refused: `reason fault need`, as far as it is said; undefined if it wasn't. */
export function refusalOf({ result, error }: Answered["json"]): string | undefined {
  const meta = (result?.["_meta"] ?? error?.data) as Fields | undefined;
  const said = meta?.["dev.latticegate/authorization"] as Fields | undefined;
  if (said === undefined) return undefined;
  const need = said["need"] as Fields | undefined;
  const { reason, fault } = said as { readonly reason?: string; readonly fault?: string };
  return [reason ?? [], fault ?? [], need === undefined ? [] : `needs ${JSON.stringify(need)}`]
    .flat()
    .join(" ");
}

function faultOf({ error }: Answered["json"]): string | undefined {
  const said = error?.data?.["dev.latticegate/authorization"] as Fields | undefined;
  return said === undefined ? undefined : String(said["fault"]);
}

function resultOf(text: string): unknown {
  return parsed(text).result;
}

function parsed(text: string): Answered["json"] {
  try {
    return JSON.parse(text) as Answered["json"];
  } catch {
    return {};
  }
}
