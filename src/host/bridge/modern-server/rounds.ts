/** One request of a legacy client's at a modern server: asked, what the server needs first asked of the client, and asked again. */
import {
  clientRequest,
  inputResponses,
  type Round,
  roundOf,
} from "../../../bridge/modern-server/input-rounds.ts";
import { undeclared } from "../../../bridge/questions.ts";
import { legacyAnswer } from "../../../bridge/modern-server/legacy-answer.ts";
import { retryOf, withId } from "../../../bridge/modern-server/modern-request.ts";
import { Refusal } from "../../../kernel/refusal.ts";
import type { RequestFrame, ResponseFrame } from "../../../wire/frame.ts";
import type { ParameterHeader } from "../../../wire/mcp-headers.ts";
import type { Json } from "../../../wire/values.ts";
import { within } from "../../within.ts";

export interface Asked {
  readonly request: RequestFrame;
  readonly parameters: readonly ParameterHeader[];
}

export interface RoundsOptions {
  /** As the client asked it, with the session's envelope. */
  readonly first: RequestFrame;
  /** Of the client. */
  readonly capabilities: Json;
  readonly newId: () => string;
  readonly answer: (asked: Asked) => Promise<ResponseFrame>;
  /** Which of a tool's arguments travel as headers; `isStale` if the server didn't agree with those before. */
  readonly parameters: (isStale: boolean) => Promise<readonly ParameterHeader[]>;
  readonly askClient: (
    questions: readonly RequestFrame[],
    gone: AbortSignal,
  ) => Promise<readonly ResponseFrame[]>;
  /** Counts bytes that are held for the request until it is over. @throws Refusal `busy` */
  readonly hold: (bytes: number) => void;
  readonly gone: AbortSignal;
}

const maxRounds = 8;
/** A server that has no question yet, but a state, isn't asked again at once. */
const paceMs = 250;

/** MCP 2026-07-28 multi round-trip requests: what may need input. */
const mayNeedInput: ReadonlySet<string> = new Set(["tools/call", "prompts/get", "resources/read"]);
const headerMismatch = -32020;

/** The server's answer under the client's own id. @throws Refusal */
export async function answerInRounds(options: RoundsOptions): Promise<ResponseFrame> {
  const { first } = options;
  let asked = first;
  for (let rounds = 0; ; rounds++) {
    const response = await answerWithHeaders(asked, options);
    const kind = response.result?.resultType ?? "complete";
    if (kind === "complete") return legacyAnswer(response, first.id);
    if (kind !== "input_required" || !mayNeedInput.has(first.method)) {
      throw failed(
        `The server's answer is of the type "${kind}", which clients of older versions don't know.`,
      );
    }
    if (rounds === maxRounds) throw failed(`The server asked for input more than ${maxRounds} times.`);
    asked = await nextRound(roundOf(response), options);
  }
}

/** Schemas change: what the server finds wrong with the headers is made anew, once. */
async function answerWithHeaders(request: RequestFrame, options: RoundsOptions): Promise<ResponseFrame> {
  const response = await options.answer({ request, parameters: await options.parameters(false) });
  if (response.error?.code !== headerMismatch || request.method !== "tools/call") return response;
  const parameters = await options.parameters(true);
  return await options.answer({ request: withId(request, options.newId()), parameters });
}

async function nextRound({ questions, requestState }: Round, options: RoundsOptions): Promise<RequestFrame> {
  const { first, capabilities, newId, askClient, hold, gone } = options;
  for (const question of questions) {
    const missing = undeclared(question.needs, capabilities);
    if (missing === undefined) continue;
    throw failed(`The server asked ${question.method}, but the client hasn't declared ${missing}.`);
  }
  hold(requestState?.length ?? 0);
  if (questions.length === 0) await paced(gone);
  const answers = await askClient(
    questions.map((question) => clientRequest(newId(), question)),
    gone,
  );
  hold(answers.reduce((bytes, answer) => bytes + answer.bytes.length, 0));
  return retryOf(first, { id: newId(), requestState, inputResponses: inputResponses(questions, answers) });
}

async function paced(gone: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  gone.addEventListener("abort", () => resolve(), { once: true });
  await within(promise, paceMs);
}

function failed(text: string): Refusal {
  return new Refusal("upstream_failed", text, { facts: { sent: true } });
}
