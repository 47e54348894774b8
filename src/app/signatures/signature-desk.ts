/** What an end knows and does about message signatures: its keys, the pins, what it has seen, what it has promised. */

import type { Journal, MessageToSign, Signatures } from "../../gate/ports.ts";
import { cut } from "../../gate/signature-refusals.ts";
import { unansweredCalls } from "../../gate/unanswered.ts";
import type { PinnedSigners } from "../../gate/world.ts";
import { claimsNow } from "../../integrity/claims.ts";
import type { Envelope } from "../../integrity/envelope.ts";
import { attestMethod } from "../../integrity/extension-methods.ts";
import { type KeySet, type MessageSigner, readKeySet, writeKeySet } from "../../integrity/key-set.ts";
import { longAnswers, type LongAnswers } from "../../integrity/long-answers.ts";
import { promise, signDirect } from "../../integrity/message-signature.ts";
import { replayWindow } from "../../integrity/replay.ts";
import { freshNonce } from "../../host/fresh-nonce.ts";
import type { Pin, PinStore } from "../../host/store/state-pins.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { KeyTrust, SignatureFault } from "../../model/message-proof.ts";
import type { PinPolicy } from "../config/signatures.ts";
import { answerBatches, type AnswerBatches } from "./answer-batches.ts";
import { answerAttest, passAttest } from "./attestations.ts";
import { answerKeys, passKeys } from "./key-questions.ts";
import { type KeptPromises, keptPromises } from "./kept-promises.ts";
import type { MessageKeys } from "./message-keys.ts";
import { type SignatureRecords, signatureRecords } from "./signature-records.ts";

export interface DeskOptions {
  /** SPIFFE ID under which this end signs. */
  readonly id: string;
  readonly keys: MessageKeys;
  /** The algorithm of this end's identity just now: its messages are signed with one as good. */
  readonly algorithm: () => string;
  readonly pins: PinStore;
  /** Whether keys count that nobody has approved. */
  readonly policy: PinPolicy;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
}

export interface SignatureDesk extends Signatures {
  /** Takes over what commands changed, and writes it into the audit log. */
  readonly refresh: () => void;
  readonly stop: () => Promise<void>;
}

/** What the answers of the extension's methods are made of. */
export interface Desk {
  readonly id: string;
  readonly keySet: KeySet;
  /** The key that signs what is said to whoever doesn't ask for another. */
  readonly signer: () => MessageSigner;
  /** The keys of that fingerprint, if they were seen. */
  readonly known: Signatures["keySet"];
  /** Those that count of that end; none if none do. @throws Refusal `route_cut` */
  readonly keysOf: (name: string) => { readonly keySet: KeySet | undefined; readonly trust: KeyTrust };
  /** The pin there is after those keys were seen. @param isProven whether the link itself proves that name */
  readonly meet: (name: string, keySet: KeySet, isProven: boolean) => Pin;
  /** Somebody who holds these keys, or who seems to, said what can't be. */
  readonly cut: (name: string, fault: SignatureFault, at: string) => void;
  readonly take: Signatures["take"];
  readonly release: Signatures["release"];
  readonly promises: KeptPromises;
  readonly batches: AnswerBatches;
  readonly long: LongAnswers;
  readonly records: SignatureRecords;
  readonly sinceUnixMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

export function signatureDesk(options: DeskOptions): SignatureDesk {
  const { id, pins, clock } = options;
  const desk = deskOf(options);
  const { promises, records } = desk;
  const approvals = sinceApproval(pins);
  return {
    id,
    keySet: desk.known,
    notBeforeUnixMs: desk.sinceUnixMs,
    nowUnixMs: () => clock.nowUnixMs(),
    take: desk.take,
    release: desk.release,
    isSuspended: promises.isSuspended,
    signs: pins.signed,
    unanswered: unansweredCalls(),
    sign: (message) => signed(message, desk, options),
    noteLong: (call, digest) => desk.long.note(call, digest, clock.nowUnixMs()),
    answer: async (call, terms) =>
      isAttest(call) ? await answerAttest(call, terms, desk) : await answerKeys(call, terms, desk),
    pass: async (call, forward, terms) =>
      isAttest(call)
        ? await passAttest({ call, forward }, terms, desk)
        : await passKeys({ call, forward }, terms, desk),
    refresh: () => {
      const nowUnixMs = clock.nowUnixMs();
      for (const [name, sinceUnixMs] of approvals()) promises.giveUp(name, Math.min(sinceUnixMs, nowUnixMs));
      records.pins();
    },
    stop: async () => {
      promises.stop();
      await records.stop();
    },
  };
}

function deskOf(options: DeskOptions): Desk {
  const { id, pins, clock, log } = options;
  const window = replayWindow(clock.nowUnixMs());
  const records = signatureRecords({ ...options, spiffeId: id });
  const promises = keptPromises(clock, ({ nonce }, { signer, audience }) => {
    records.fault({ fault: "unattested", principal: signer, at: audience, how: "found", nonce });
  });
  const known = knownKeys(pins);
  const cutOff: Desk["cut"] = (name, fault, at) => {
    records.fault({ fault, principal: name, at, how: "found" });
    if (pins.cut(name, fault, clock.nowUnixMs())) records.pins();
  };
  return {
    id,
    keySet: options.keys.keySet,
    signer: () => signerOf(options),
    known,
    keysOf: (name) => {
      const { fingerprint, state = "first-use" } = pins.of(name) ?? {};
      if (state === "cut") throw cut("wrong_batch");
      const counts = state === "approved" || options.policy === "first-use";
      return { keySet: counts && fingerprint !== undefined ? known(fingerprint) : undefined, trust: state };
    },
    meet: (name, keySet, isProven) => {
      const found = { fingerprint: keySet.fingerprint, keys: JSON.stringify(writeKeySet(keySet)), isProven };
      const pin = pins.meet(name, found, clock.nowUnixMs());
      records.pins();
      return pin;
    },
    cut: cutOff,
    take: (proof, { audience, direction }, nowUnixMs) => {
      const seen = window.reserve(proof, nowUnixMs);
      if (seen === "full") return "busy";
      if (seen !== "reserved" && !(seen === "stale" && direction === "res")) return seen;
      if (proof.mode !== "batched") return undefined;
      const noted = promises.note(proof, { signer: proof.signer, audience }, nowUnixMs);
      if (noted === "wrong_batch") cutOff(proof.signer, noted, audience);
      return noted;
    },
    release: (proof, audience) => {
      window.release(proof);
      if (proof.mode === "batched") promises.drop(proof, { signer: proof.signer, audience });
    },
    promises,
    batches: answerBatches(),
    long: longAnswers(),
    records,
    sinceUnixMs: window.notBeforeUnixMs,
    clock,
    log,
  };
}

/** As the world has them. */
export function pinnedSigners(pins: Pick<PinStore, "list" | "signers">, policy: PinPolicy): PinnedSigners {
  const rows = pins.list().map(({ name, fingerprint, state }) => [name, { fingerprint, state }] as const);
  return { policy, pins: new Map(rows), signers: new Set(pins.signers()) };
}

function isAttest({ frame }: Parameters<Signatures["answer"]>[0]): boolean {
  return frame?.kind === "request" && frame.method === attestMethod;
}

/** Key sets by their fingerprints, read once each. */
function knownKeys(pins: PinStore): Signatures["keySet"] {
  const read = new Map<string, KeySet>();
  return (fingerprint) => {
    const found = read.get(fingerprint);
    if (found !== undefined) return found;
    const pin = pins.list().find((each) => each.fingerprint === fingerprint && each.keys !== undefined);
    const keySet = pin?.keys === undefined ? undefined : readKeySet(JSON.parse(pin.keys));
    if (keySet === undefined) return undefined;
    if (read.size >= maxRead) read.clear();
    read.set(fingerprint, keySet);
    return keySet;
  };
}

/** At 6 KiB each. */
const maxRead = 10_000;

/** Those whose keys a person has approved since it was asked last: what was wrong with them is over. */
function sinceApproval(pins: PinStore): () => readonly (readonly [name: string, sinceUnixMs: number])[] {
  const namesAndTimes = () =>
    pins
      .list()
      .flatMap(({ name, state, sinceUnixMs }) =>
        state === "approved" ? [[name, sinceUnixMs] as const] : [],
      );
  let seen = new Map(namesAndTimes());
  return () => {
    const now = new Map(namesAndTimes());
    const fresh = [...now].filter(([name, since]) => seen.get(name) !== since);
    seen = now;
    return fresh;
  };
}

/** Of the end's own identity's algorithm, so that under a profile of the stronger one all is signed with that. */
function signerOf({ keys, algorithm }: DeskOptions, atLeast?: string): MessageSigner {
  const [weaker, stronger] = keys.signers;
  return [algorithm(), atLeast].includes(stronger.suite.id) ? stronger : weaker;
}

async function signed(message: MessageToSign, desk: Desk, options: DeskOptions): Promise<Envelope> {
  const { mode, algorithm, calls, ...about } = message;
  const nowUnixMs = desk.clock.nowUnixMs();
  const claims = claimsNow({ ...about, issuer: desk.id }, freshNonce(), nowUnixMs);
  const batch =
    mode === "batched" && calls !== undefined
      ? desk.batches.of(message.audience, calls, nowUnixMs)
      : undefined;
  const promised = batch && promise(claims, batch, nowUnixMs);
  if (promised !== undefined) return promised;
  const envelope = await signDirect(claims, signerOf(options, algorithm));
  // Who waits for another's signature may never have met the keys of whoever changed the message.
  return message.changed === undefined ? envelope : { ...envelope, keys: writeKeySet(desk.keySet) };
}
