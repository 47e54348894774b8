/** What a legacy client is asked on a modern server's behalf, and its answers. */
import { utf8 } from "../../../kernel/bytes.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import {
  type Frame,
  readFrame,
  type RequestFrame,
  type RequestId,
  type ResponseFrame,
} from "../../../wire/frame.ts";
import { onAbort } from "../../on-abort.ts";

export interface ClientQuestionsOptions {
  /** Says a message to the client, on the stream of its request `about`. */
  readonly say: (frame: Frame, about: RequestId) => void;
  /** How long one waits for its answer: a person may have to give it. */
  readonly timeoutMs: number;
}

/** Asked at once, for all of a session's requests. */
const maxWaiting = 256;

export class ClientQuestions {
  readonly #options: ClientQuestionsOptions;
  readonly #waiting = new Map<string, (answer: ResponseFrame) => void>();

  constructor(options: ClientQuestionsOptions) {
    this.#options = options;
  }

  /**
   * Asks all at once. When one comes to nothing, the client is told that the others don't matter any more.
   * @throws Refusal `busy`, `upstream_timeout`, or `upstream_failed` if the client says no or `gone` aborts
   */
  async ask(
    questions: readonly RequestFrame[],
    about: RequestId,
    gone: AbortSignal,
  ): Promise<readonly ResponseFrame[]> {
    if (this.#waiting.size + questions.length > maxWaiting)
      throw new Refusal("busy", "Too many questions of the server wait for their answers.");
    const round = new AbortController();
    const heed = onAbort(gone, () => round.abort());
    try {
      return await Promise.all(questions.map((question) => this.#one(question, about, round.signal)));
    } finally {
      round.abort();
      heed();
    }
  }

  /** @returns whether it answers something that waits; a second answer to the same doesn't */
  take(answer: ResponseFrame): boolean {
    const settle = typeof answer.id === "string" ? this.#waiting.get(answer.id) : undefined;
    settle?.(answer);
    return settle !== undefined;
  }

  #one(question: RequestFrame, about: RequestId, over: AbortSignal): Promise<ResponseFrame> {
    const id = String(question.id);
    const { say, timeoutMs } = this.#options;
    return new Promise((resolve, reject) => {
      let heed = (): void => {};
      const settled = (): void => {
        this.#waiting.delete(id);
        clearTimeout(late);
        heed();
      };
      const giveUp = (refusal: Refusal): void => {
        settled();
        say(cancellation(id), about);
        reject(refusal);
      };
      const late = setTimeout(
        () => giveUp(new Refusal("upstream_timeout", `The client didn't answer ${question.method} in time.`)),
        timeoutMs,
      ).unref();
      this.#waiting.set(id, (answer) => {
        settled();
        if (answer.result !== undefined) resolve(answer);
        else reject(refused(question, answer));
      });
      say(question, about);
      heed = onAbort(over, () => giveUp(new Refusal("upstream_failed", "The request was given up.")));
    });
  }
}

function refused({ method }: RequestFrame, { error }: ResponseFrame): Refusal {
  const text = `The client answered ${method} with an error (${error?.code}).`;
  return new Refusal("upstream_failed", text, { facts: { sent: true } });
}

function cancellation(requestId: string): Frame {
  const params = { requestId, reason: "The answer isn't needed any more." };
  return readFrame(utf8(JSON.stringify({ jsonrpc: "2.0", method: "notifications/cancelled", params })));
}
