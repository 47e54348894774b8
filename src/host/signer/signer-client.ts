/**
 * A gateway's link to its signer: one connection, made anew when it breaks. What is asked waits for it a bounded
 * time and is sent again, since signing the same bytes twice does no harm.
 */
import { randomBytes } from "node:crypto";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";

import { importPublicKey, isSignedBy, type SigningKey } from "../../crypto/keys.ts";
import { signatureSuite, type SignatureSuiteId } from "../../crypto/suites/signatures.ts";
import { equalInConstantTime, toBase64, toBase64url } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { frame, framesOf } from "./frames.ts";
import {
  acceptedSchema,
  answerSchema,
  errorSchema,
  helloSchema,
  nonceBytes,
  proofOf,
  protocolVersion,
  type SignerAnswer,
  type SignerRequest,
  type SignerStatus,
} from "./messages.ts";

export interface SignerOptions {
  readonly path: string;
  readonly secret: Uint8Array;
  readonly log: Log;
  /** How long a request may take, the wait for the signer included; 10 s if absent. */
  readonly patienceMs?: number;
}

export interface Signer {
  /** As `KeyFolder.signing`. @throws Refusal `signer_unavailable`, `signer_refused` or `busy`, as its `sign` does */
  readonly signing: (name: string, suiteId: SignatureSuiteId) => Promise<SigningKey>;
  readonly status: () => Promise<SignerStatus>;
  readonly isConnected: () => boolean;
  readonly close: () => void;
}

const defaultPatienceMs = 10_000;
const maxWaiting = 256;
const firstRetryMs = 50;
const lastRetryMs = 1000;
const handshakeMs = 5000;

type Asked<T = SignerRequest> = T extends SignerRequest ? Omit<T, "id"> : never;

interface Waiting {
  readonly frame: Uint8Array;
  readonly resolve: (answer: SignerAnswer) => void;
  readonly reject: (refusal: Refusal) => void;
}

/** Doesn't wait for the signer: the first request does. */
export function openSigner(options: SignerOptions): Signer {
  const link = new SignerLink(options);
  return {
    signing: async (name, suiteId) => {
      const suite = signatureSuite(suiteId);
      const answer = await link.ask({ op: "key", name, suite: suiteId });
      const publicKey = "public_key" in answer ? importPublicKey(suite, answer.public_key) : undefined;
      if (publicKey === undefined) throw link.unavailable(`its answer is no ${suite.id} key`);
      return {
        suite,
        publicKey,
        sign: async (message) => {
          const signed = await link.ask({ op: "sign", name, suite: suiteId, message });
          if (!("signature" in signed) || !isSignedBy({ suite, publicKey }, message, signed.signature)) {
            throw link.unavailable(`it no longer signs with the key ${name} it had`);
          }
          return signed.signature;
        },
      };
    },
    status: async () => {
      const answer = await link.ask({ op: "status" });
      if (!("status" in answer)) throw link.unavailable("its answer is no status");
      return answer.status;
    },
    isConnected: link.isConnected,
    close: link.close,
  };
}

class SignerLink {
  readonly #options: SignerOptions;
  readonly #waiting = new Map<number, Waiting>();
  readonly #over = new AbortController();
  #socket: net.Socket | undefined;
  #nextId = 1;
  #wasTold = false;

  constructor(options: SignerOptions) {
    this.#options = options;
    void this.#stayConnected();
  }

  readonly isConnected = (): boolean => this.#socket !== undefined;

  readonly close = (): void => {
    this.#over.abort();
    this.#socket?.destroy();
    this.#giveUp(this.unavailable("this process is stopping"));
  };

  readonly unavailable = (why: string, cause?: unknown): Refusal =>
    new Refusal("signer_unavailable", "The signer can't be asked now; try again.", {
      cause,
      facts: { signer: this.#options.path, reason: why },
    });

  readonly ask = (what: Asked): Promise<SignerAnswer> =>
    new Promise((resolve, reject) => {
      if (this.#over.signal.aborted || this.#waiting.size >= maxWaiting) {
        reject(this.unavailable("too much is waiting for it, or this process is stopping"));
        return;
      }
      const id = this.#nextId++;
      const timer = setTimeout(() => {
        settle();
        reject(this.unavailable("it didn't answer in time"));
      }, this.#options.patienceMs ?? defaultPatienceMs);
      const settle = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(id);
      };
      const message = "message" in what ? { message: toBase64(what.message) } : {};
      const waiting: Waiting = {
        frame: frame({ id, ...what, ...message }),
        resolve: (answer) => (settle(), resolve(answer)),
        reject: (refusal) => (settle(), reject(refusal)),
      };
      this.#waiting.set(id, waiting);
      this.#socket?.write(waiting.frame);
    });

  async #stayConnected(): Promise<void> {
    let retryMs = firstRetryMs;
    while (!this.#over.signal.aborted) {
      try {
        await this.#converse(() => (retryMs = firstRetryMs));
        this.#tell("it closed the link");
      } catch (error) {
        this.#tell(error instanceof Error ? error.message : "unknown");
        // What no waiting will mend.
        if (error instanceof Refusal) this.#giveUp(error);
      }
      await delay(retryMs, undefined, { ref: false, signal: this.#over.signal }).catch(() => undefined);
      retryMs = Math.min(retryMs * 2, lastRetryMs);
    }
  }

  /** From the connection to its end. @throws Refusal if the other end isn't our signer; else it just isn't there */
  async #converse(onProven: () => void): Promise<void> {
    const socket = net.connect(this.#options.path);
    // Reading it tells; one that comes after the end tells nothing more.
    socket.on("error", () => undefined);
    const late = setTimeout(() => socket.destroy(new Error("it says nothing")), handshakeMs).unref();
    const stop = (): void => void socket.destroy();
    this.#over.signal.addEventListener("abort", stop, { once: true });
    try {
      const frames = framesOf(socket);
      await this.#prove(socket, frames);
      clearTimeout(late);
      onProven();
      this.#socket = socket;
      if (this.#wasTold) this.#options.log.warn("signer.back", { signer: this.#options.path });
      this.#wasTold = false;
      for (const { frame: bytes } of this.#waiting.values()) socket.write(bytes);
      for await (const said of frames) this.#take(said);
    } finally {
      clearTimeout(late);
      this.#socket = undefined;
      this.#over.signal.removeEventListener("abort", stop);
      socket.destroy();
    }
  }

  async #prove(socket: net.Socket, frames: AsyncGenerator<unknown, undefined>): Promise<void> {
    const { secret, path } = this.#options;
    const hello = helloSchema.safeParse((await frames.next()).value);
    if (!hello.success) throw new Error("it doesn't greet as a signer does");
    if (hello.data.v !== protocolVersion) {
      throw new Refusal("bad_state", `The signer at ${path} speaks another version; run the same release.`);
    }
    const nonces = { signer: hello.data.nonce, gateway: randomBytes(nonceBytes) };
    const proof = toBase64url(proofOf("gateway", secret, nonces));
    socket.write(frame({ v: protocolVersion, nonce: toBase64url(nonces.gateway), proof }));
    const { value } = await frames.next();
    const accepted = acceptedSchema.safeParse(value);
    if (accepted.success && equalInConstantTime(accepted.data.proof, proofOf("signer", secret, nonces)))
      return;
    const said = errorSchema.safeParse(value);
    if (!accepted.success && !said.success) throw new Error("it closed the link");
    throw new Refusal(
      "bad_state",
      `The signer at ${path} has another secret than this gateway; see docs/guide/signer.md.`,
    );
  }

  #take(said: unknown): void {
    const answer = answerSchema.safeParse(said);
    if (!answer.success) throw new Error("its answer can't be read");
    // One that isn't waited for any more came too late.
    const waiting = this.#waiting.get(answer.data.id);
    if (waiting === undefined) return;
    if (!("error" in answer.data)) {
      waiting.resolve(answer.data);
      return;
    }
    const { code, message } = answer.data.error;
    if (code === "signer_refused" || code === "busy") {
      this.#options.log.error("signer.refused", { reason: message });
      waiting.reject(new Refusal(code, "The signer refuses to sign this.", { facts: { reason: message } }));
    } else waiting.reject(this.unavailable(message));
  }

  /** Once for each time it is away: heads and certificates that have to wait tell of themselves. */
  #tell(reason: string): void {
    if (this.#wasTold || this.#over.signal.aborted) return;
    this.#wasTold = true;
    this.#options.log.warn("signer.away", { signer: this.#options.path, reason });
  }

  #giveUp(refusal: Refusal): void {
    for (const { reject } of this.#waiting.values()) reject(refusal);
  }
}
