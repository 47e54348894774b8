/**
 * What was promised is signed, and what was promised here is asked for, in the background: a statement over the calls'
 * batch goes there, one over the answers' comes back. While one is overdue the route is suspended; where one says
 * something else, it is cut.
 */
import { randomBytes } from "node:crypto";

import { cut } from "../../gate/signature-refusals.ts";
import {
  checkStatement,
  type FaultReport,
  type LeafRange,
  maxLong,
  type OutgoingBatch,
  outgoingBatch,
  readAttestation,
  signStatement,
  writeAttestation,
} from "../../integrity/batch.ts";
import { attestWithinMs, type BatchRegister, batchRegister } from "../../integrity/batch-register.ts";
import { attestMethod } from "../../integrity/extension-methods.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { PromisedProof, SignatureFault } from "../../model/message-proof.ts";
import type { Send } from "../net/patient-send.ts";
import { within } from "../within.ts";
import type { CallingOptions } from "./calling-options.ts";
import { askExtension, extensionFrame, type Manner, resultOf } from "./extension-request.ts";
import type { ServingEnd } from "./known-end.ts";

export interface AttestingOptions extends CallingOptions {
  /** Sends one request, without patience. */
  readonly send: Send;
  /** How the newest call was made. */
  readonly manner: () => Manner;
  /** What is to be known of the serving end anew. */
  readonly askAgain: () => Promise<ServingEnd | undefined>;
  /** What was known of it counts no more. */
  readonly onCut: () => void;
}

/** After the first message that is to be covered. */
const dueAfterMs = 250;
const firstRetryMs = 250;
const maxRetryMs = 5000;
/** A client that has gone waits no longer than this for its sidecar. */
const stopMs = 2000;
/** Each delivers a thousand leaves. */
const maxRounds = 64;

/** Between this end and one that serves, for as long as that has these keys. */
export class Attesting {
  /** Where calls are promised. */
  readonly batch: OutgoingBatch = outgoingBatch(randomBytes(16));
  readonly #end: ServingEnd;
  readonly #options: AttestingOptions;
  readonly #register: BatchRegister = batchRegister();
  /** Calls whose answers' digests are asked for, by their nonces. */
  readonly #asked = new Map<string, PromiseWithResolvers<string | undefined>>();
  #undelivered: LeafRange | undefined;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #retryMs = firstRetryMs;
  #isSuspended = false;
  #isOver = false;

  constructor(end: ServingEnd, options: AttestingOptions) {
    this.#end = end;
    this.#options = options;
  }

  /** One is due before long, or now. */
  due(): void {
    const dueUnixMs = this.batch.dueUnixMs();
    const isDue = dueUnixMs !== undefined && dueUnixMs <= this.#options.clock.nowUnixMs();
    if (isDue && this.#running === undefined && !this.#isRetrying()) void this.#background();
    else this.#schedule();
  }

  /** A promise came with an answer. @returns why that can't be taken; nothing if it can */
  note(promise: PromisedProof): SignatureFault | undefined {
    const noted = this.#register.note(promise, this.#options.clock.nowUnixMs());
    if (noted === "wrong_batch") this.#cutRoute();
    if (noted !== "noted") return noted === "full" ? "unattested" : noted;
    this.#schedule();
    return undefined;
  }

  /** What the serving end says now of the answer to the call with that nonce: its `raw-sha-256:`, or nothing. Rejects if it can't be asked. */
  async digestOf(nonce: string): Promise<string | undefined> {
    const said = Promise.withResolvers<string | undefined>();
    this.#asked.set(nonce, said);
    try {
      // A round that is under way may have begun too early.
      for (let tries = 0; tries < 2 && this.#asked.has(nonce); tries++) await this.#run();
    } finally {
      if (this.#asked.delete(nonce)) said.resolve(undefined);
    }
    return await said.promise;
  }

  /** Has what waits attested now. Never rejects. */
  async deliver(): Promise<void> {
    await this.#run().catch(() => undefined);
  }

  /** Asks for what is overdue; nothing if nothing is. @throws Refusal `route_cut` while something is */
  settle(): Promise<void> | undefined {
    return this.#isOverdue() || this.#isSuspended ? this.#settled() : undefined;
  }

  /** Delivers what waits, for a while. */
  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#isOver = true;
    if (this.#waits()) await within(this.deliver(), stopMs);
  }

  async #settled(): Promise<void> {
    if (this.#isOverdue()) {
      await this.#run();
      this.#look();
      if (this.#isOverdue()) await this.#giveUpIfRestarted();
    }
    this.#look();
    if (!this.#isSuspended) return;
    this.#schedule();
    throw cut("unattested");
  }

  #run(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return (this.#running ??= this.#rounds().finally(() => {
      this.#running = undefined;
      this.#schedule();
    }));
  }

  async #rounds(): Promise<void> {
    for (let count = 0; count < maxRounds && this.#waits(); count++) {
      const before = this.#register.nextOverdueUnixMs();
      await this.#round();
      if (!this.#goesOn(before)) break;
    }
  }

  /**
   * Under load something always waits: what isn't due yet is left to the next statement, which has more to say.
   * @param before when the first promise was to be overdue before the last round
   */
  #goesOn(before: number | undefined): boolean {
    const [said, next] = [this.batch.dueUnixMs(), this.#register.nextOverdueUnixMs()];
    if (this.#asked.size > 0) return true;
    // What the other end doesn't say now it says later, or never.
    const untilUnixMs = this.#isOver ? Infinity : this.#options.clock.nowUnixMs();
    if (said !== undefined && said <= untilUnixMs) return true;
    return next !== undefined && next <= untilUnixMs && next !== before;
  }

  async #round(): Promise<void> {
    const { clock, faults } = this.#options;
    const range = (this.#undelivered ??= this.batch.take());
    const [long, reports] = [[...this.#asked.keys()].slice(0, maxLong), faults.take()];
    try {
      const said = await attest(this.#end, { range, long, faults: reports }, this.#options);
      this.#undelivered = undefined;
      this.#retryMs = firstRetryMs;
      for (const nonce of long) {
        this.#asked.get(nonce)?.resolve(said.digests.get(nonce));
        this.#asked.delete(nonce);
      }
      const contradicted = this.#register.cover(this.#end.issuer, said.range, clock.nowUnixMs());
      if (contradicted.length > 0) this.#cutRoute();
    } catch (error) {
      for (const report of reports) faults.report(report);
      throw error;
    }
  }

  async #background(): Promise<void> {
    try {
      await this.#run();
    } catch (error) {
      this.#options.log.debug("attestation.failed", { server: this.#options.name, reason: reasonOf(error) });
    }
    this.#look();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#timer !== undefined || this.#running !== undefined || this.#isOver || !this.#waits()) return;
    const isRetry = this.#isRetrying();
    this.#timer = setTimeout(() => void this.#background(), isRetry ? this.#retryMs : dueAfterMs).unref();
    if (isRetry) this.#retryMs = Math.min(this.#retryMs * 2, maxRetryMs);
  }

  #isRetrying(): boolean {
    return this.#undelivered !== undefined || this.#isSuspended;
  }

  #waits(): boolean {
    return (
      this.#undelivered !== undefined ||
      this.batch.dueUnixMs() !== undefined ||
      this.#register.nextOverdueUnixMs() !== undefined ||
      this.#asked.size > 0 ||
      !this.#options.faults.isEmpty()
    );
  }

  #isOverdue(): boolean {
    const next = this.#register.nextOverdueUnixMs();
    return next !== undefined && next <= this.#options.clock.nowUnixMs();
  }

  /** Says that something is overdue, once, and that nothing is any more. */
  #look(): void {
    if (this.#isOverdue() === this.#isSuspended) return;
    this.#isSuspended = !this.#isSuspended;
    const { log, faults, name, clock } = this.#options;
    if (!this.#isSuspended) {
      log.info("route.open", { server: name });
      return;
    }
    const fault = "unattested";
    log.error("answer.refused", { fault, method: attestMethod, server: name });
    for (const { nonce } of this.#register.overdue(clock.nowUnixMs(), this.#end.issuer))
      faults.report({ fault, nonce });
  }

  /** What came before the serving end began anew, nobody can sign for any more: that was said, and is all there is. */
  async #giveUpIfRestarted(): Promise<void> {
    const { clock, log, name } = this.#options;
    const sinceUnixMs = (await this.#options.askAgain())?.sinceUnixMs;
    if (sinceUnixMs === undefined) return;
    const untilUnixMs = Math.min(sinceUnixMs + attestWithinMs, clock.nowUnixMs());
    const lost = this.#register.giveUp(this.#end.issuer, untilUnixMs);
    if (lost > 0)
      log.warn("answers.unattested", { server: name, lost, reason: "the serving end began anew" });
  }

  /** Somebody on the way signs in the other end's name: nothing goes there until a person has looked at it. */
  #cutRoute(): void {
    const { log, faults, name, pins, clock, onCut } = this.#options;
    const { issuer, keySet } = this.#end;
    const fault = "wrong_batch";
    log.error("route.cut", { server: name, signer: issuer, fault, keySet: keySet.fingerprint });
    faults.report({ fault, method: attestMethod });
    pins.cut(issuer, "its statement says something else than answers in its name", clock.nowUnixMs());
    onCut();
  }
}

interface Said {
  readonly range: LeafRange;
  /** Of answers, by the nonces of their calls. */
  readonly digests: ReadonlyMap<string, string>;
}

interface Telling {
  readonly range: LeafRange;
  readonly long: readonly string[];
  readonly faults: readonly FaultReport[];
}

/** @throws Refusal `upstream_failed` if it isn't answered, `answer_refused` if that isn't what the end signed */
async function attest(end: ServingEnd, about: Telling, options: AttestingOptions): Promise<Said> {
  const { issuer, signers, clock, send } = options;
  const manner = options.manner();
  const own = { direction: "req", issuer, audience: end.audience } as const;
  const statement = await signStatement(about.range, own, signers[0], clock.nowUnixMs());
  const frame = extensionFrame(attestMethod, writeAttestation({ ...about, statement }), manner);
  const { answer, response } = await askExtension(send, frame, frame.bytes, manner);
  const said = response?.result && readAttestation(resultOf(response));
  if (said === undefined) {
    // Who answers, and takes nothing of it, lets the promises lie.
    if (answer.status === 200) throw cut("unattested");
    throw new Refusal("upstream_failed", `The serving end took no attestation (${answer.status}).`);
  }
  const { ok, fault } = checkStatement(said.statement, said.range, {
    direction: "res",
    issuer: end.issuer,
    audience: issuer,
    keySet: end.keySet,
    nowUnixMs: clock.nowUnixMs(),
  });
  if (ok !== undefined) return { range: said.range, digests: ok.long };
  throw new Refusal("answer_refused", "What the serving end says of its answers isn't what it signed.", {
    facts: { signature_fault: fault },
  });
}

function reasonOf(error: unknown): string {
  if (error instanceof Refusal) return String(error.facts["signature_fault"] ?? error.code);
  return error instanceof Error ? error.message : "unknown";
}
