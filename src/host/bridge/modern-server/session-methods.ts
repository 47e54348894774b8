/** What a legacy client asks of its session: a modern server has none, so the bridge answers. */
import { errorAnswer, resultAnswer } from "../../../bridge/modern-server/legacy-answer.ts";
import { tellsOfResources } from "../../../bridge/modern-server/listen-filter.ts";
import { isLogLevel } from "../../../bridge/log-levels.ts";
import type { RequestFrame, ResponseFrame } from "../../../wire/frame.ts";
import type { Listening } from "./listening.ts";
import { memberOf, valueAt } from "../../../wire/values.ts";

export interface SessionEnds {
  /** Of the server. */
  readonly capabilities: Readonly<Record<string, unknown>>;
  readonly listening: Listening;
  readonly setLevel: (level: string) => void;
}

const methodNotFound = -32601;
const invalidParams = -32602;

/** The answer to what isn't asked of the server; undefined for all that is. Rejects with a Refusal. */
export function ownAnswer(frame: RequestFrame, session: SessionEnds): Promise<ResponseFrame> | undefined {
  const { method } = frame;
  // Tasks are other messages in each era.
  if (method.startsWith("tasks/") || modernOnly.has(method)) return Promise.resolve(notHere(frame));
  return methods.get(method)?.(frame, session);
}

const modernOnly: ReadonlySet<string> = new Set(["server/discover", "subscriptions/listen"]);

type Method = (frame: RequestFrame, session: SessionEnds) => Promise<ResponseFrame>;

const methods: ReadonlyMap<string, Method> = new Map<string, Method>([
  ["ping", ({ id }) => Promise.resolve(resultAnswer(id, {}))],
  ["logging/setLevel", (frame, session) => Promise.resolve(levelSet(frame, session))],
  ["resources/subscribe", (frame, session) => subscribed(frame, session, "subscribe")],
  ["resources/unsubscribe", (frame, session) => subscribed(frame, session, "unsubscribe")],
]);

function levelSet(frame: RequestFrame, { capabilities, setLevel }: SessionEnds): ResponseFrame {
  if (capabilities["logging"] === undefined) return notHere(frame);
  const level = askedLevel(frame);
  if (level === undefined) return errorAnswer(frame.id, invalidParams, "Expected `level`, one of RFC 5424.");
  setLevel(level);
  return resultAnswer(frame.id, {});
}

function askedLevel({ bytes, params }: RequestFrame): string | undefined {
  const level = params && memberOf(valueAt(bytes, params.span), "level");
  return isLogLevel(level) ? level : undefined;
}

async function subscribed(
  frame: RequestFrame,
  { capabilities, listening }: SessionEnds,
  change: "subscribe" | "unsubscribe",
): Promise<ResponseFrame> {
  if (!tellsOfResources(capabilities)) return notHere(frame);
  const address = frame.params?.uri;
  if (address === undefined) return errorAnswer(frame.id, invalidParams, "Expected `uri`.");
  await listening[change](address);
  return resultAnswer(frame.id, {});
}

function notHere({ id, method }: RequestFrame): ResponseFrame {
  return errorAnswer(id, methodNotFound, `There is no ${method} here.`);
}
