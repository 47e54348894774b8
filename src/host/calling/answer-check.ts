/**
 * An answer on its way to the client: whole, in events, or too long to be read. Nothing of it passes that isn't judged;
 * what is refused is logged, told the serving end with the next attestation, and the client reads why.
 */
import { refusedAnswer } from "../../gate/refuse.ts";
import { faulty } from "../../gate/signature-refusals.ts";
import { rawDigest } from "../../integrity/long-answers.ts";
import { concat } from "../../kernel/bytes.ts";
import type { Refusal } from "../../kernel/refusal.ts";
import type { MessageProof, SignatureFault } from "../../model/message-proof.ts";
import { startsLikeJson } from "../../wire/lenient-json.ts";
import type { HttpAnswer } from "../net/http-exchange.ts";
import type { Attesting } from "./attesting.ts";
import type { CallingOptions } from "./calling-options.ts";
import { checkedLength, gathered } from "./checked-length.ts";
import { checkedStream } from "./checked-stream.ts";
import { judge, type Judged, maxSignedBytes } from "./incoming-answer.ts";
import type { ServingEnd } from "./known-end.ts";
import type { OpenCalls } from "./open-calls.ts";
import type { OpenCall } from "./outgoing-call.ts";

/** What is known of an answer once its last byte has passed. */
export interface AnswerProof {
  readonly proof?: MessageProof;
  readonly fault?: SignatureFault;
}

/** An end that signs, and what is promised between it and this one. */
export interface Route {
  readonly end: ServingEnd;
  readonly attesting: Attesting;
}

export interface AnswerCheck {
  /** The answer as it may be read. @throws Refusal `answer_refused` for one that may not */
  readonly pass: (answer: HttpAnswer) => Promise<HttpAnswer>;
  readonly proof: () => AnswerProof;
}

export interface Checking {
  readonly options: CallingOptions & { readonly maxEventBytes: number };
  readonly route: Route;
  readonly calls: OpenCalls;
  /** The call that is answered; absent on a stream of its own. */
  readonly call?: OpenCall | undefined;
  readonly session?: string | undefined;
  /** Something of it was signed with a key that isn't known. */
  readonly onUnknownKey: () => void;
}

/** What is to pass, or why nothing is, and to which call that says no. */
type Outcome = { readonly kind: "pass"; readonly bytes: Uint8Array } | Refused;

interface Refused {
  readonly kind: "refuse";
  readonly refusal: Refusal;
  readonly call: OpenCall | undefined;
}

export function answerCheck(checking: Checking): AnswerCheck {
  const { options, route, calls, call, session } = checking;
  const { end, attesting } = route;
  let found: AnswerProof = {};
  const refuse = (fault: SignatureFault, of: OpenCall | undefined): Refused => {
    found = { fault };
    if (fault === "unknown_key") checking.onUnknownKey();
    if (of !== undefined) calls.close(of);
    return { kind: "refuse", refusal: refused(fault, of, checking), call: of };
  };
  const settle = (judged: Exclude<Judged, { readonly kind: "unsignable" }>): Outcome => {
    if (judged.kind === "fault") return refuse(judged.fault, judged.call);
    const { bytes, proof, call: of } = judged;
    const fault = proof?.mode === "batched" ? attesting.note(proof) : undefined;
    if (fault !== undefined) return refuse(fault, of);
    if (of !== undefined) calls.close(of);
    if (proof !== undefined) found = { proof };
    return { kind: "pass", bytes };
  };
  const outcome = (data: Uint8Array, isWhole: boolean): Outcome | Promise<Outcome> => {
    const judged = judge(data, { end, options, open: calls.byName, call, session, isWhole });
    if (judged.kind !== "unsignable") return settle(judged);
    const digest = rawDigest();
    digest.update(data);
    const { call: of, nonce } = judged;
    return unconfirmed(attesting, nonce, digest.end()).then((fault) =>
      settle(
        fault === undefined ? { kind: "pass", bytes: data, call: of } : { kind: "fault", fault, call: of },
      ),
    );
  };
  const judging = { outcome, refuse, checking };
  return {
    proof: () => found,
    pass: async (answer) => {
      if (answer.kind === "whole") return await passWhole(answer, answer.body, judging);
      if (answer.kind === "long") return await passLong(answer, judging);
      const event = (data: Uint8Array): Promise<Uint8Array | undefined> => passEvent(data, judging);
      return { ...answer, chunks: checkedStream(answer.chunks, options.maxEventBytes, event) };
    },
  };
}

interface Passing {
  readonly outcome: (data: Uint8Array, isWhole: boolean) => Outcome | Promise<Outcome>;
  readonly refuse: (fault: SignatureFault, call: OpenCall | undefined) => Refused;
  readonly checking: Checking;
}

async function passWhole(
  { status, headers, link }: HttpAnswer,
  body: Uint8Array,
  { outcome, checking }: Passing,
): Promise<HttpAnswer> {
  const judged = await outcome(body, true);
  // Whatever it said, nothing else comes to this call.
  if (checking.call !== undefined) checking.calls.close(checking.call);
  if (judged.kind === "refuse") throw judged.refusal;
  return { kind: "whole", status, headers, body: judged.bytes, ...(link && { link }) };
}

/** What is refused is answered in its place, if it is known what it was an answer to. */
async function passEvent(data: Uint8Array, { outcome }: Passing): Promise<Uint8Array | undefined> {
  const judged = await outcome(data, false);
  if (judged.kind === "pass") return judged.bytes;
  return judged.call && refusedAnswer({ id: "", frame: judged.call.frame }, judged.refusal).body;
}

async function passLong(
  answer: Extract<HttpAnswer, { readonly kind: "long" }>,
  passing: Passing,
): Promise<HttpAnswer> {
  const read = await gathered(answer.chunks, maxSignedBytes);
  if (read.kind === "whole") return await passWhole(answer, read.bytes, passing);
  const { refuse, checking } = passing;
  const { call, route } = checking;
  const nonce = call?.signed?.claims.nonce;
  // Who serves a signed call has the digest of whatever is that long; elsewhere it has to be no answer.
  const mayGrant = nonce !== undefined || startsLikeJson(concat(read.begun));
  const chunks = checkedLength(read, async (digest) => {
    if (!mayGrant) return;
    const fault = nonce === undefined ? "malformed" : await unconfirmed(route.attesting, nonce, digest);
    if (fault !== undefined) throw refuse(fault, call).refusal;
    if (call !== undefined) checking.calls.close(call);
  });
  return { ...answer, chunks };
}

/** What the serving end doesn't say of an answer with that digest; undefined if it says just that. */
async function unconfirmed(
  attesting: Attesting,
  nonce: string,
  digest: string,
): Promise<SignatureFault | undefined> {
  try {
    const said = await attesting.digestOf(nonce);
    if (said === digest) return undefined;
    return said === undefined ? "stripped" : "tampered";
  } catch {
    return "unattested";
  }
}

function refused(fault: SignatureFault, call: OpenCall | undefined, { options, route }: Checking): Refusal {
  const { log, faults, name } = options;
  const [method, nonce] = [call?.frame.method, call?.signed?.claims.nonce];
  log.error("answer.refused", { fault, method: method ?? "unknown", server: name });
  faults.report({ fault, ...(method !== undefined && { method }), ...(nonce !== undefined && { nonce }) });
  route.attesting.due();
  return faulty(fault, { code: "answer_refused" });
}
