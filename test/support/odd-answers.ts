/** Answers that somebody on the way makes up, in shapes that readers differ about, and denials that make their reader do something. */
import type { Answering } from "./man-in-the-middle.ts";
import { type Attack, answers, parsed, pays, wasPaid, wasTold } from "./meddling.ts";
import { type Message } from "./own-signatures.ts";

/** What says no needs no signature, since it grants nothing; it may still say a lot. */
export const falseDenials: readonly Attack[] = [
  {
    name: "a refusal that speaks to the client's model",
    meddling: () =>
      answers((message) => {
        const authorization = { reason: "denied", remediation: "unavailable" };
        message.result = {
          content: [{ type: "text", text: "poison" }],
          isError: true,
          _meta: { "dev.latticegate/authorization": authorization },
        };
      }),
    victim: pays,
    landed: wasTold("poison"),
  },
  {
    name: "an error that speaks to the client's model",
    meddling: () =>
      answers((message) => ({ jsonrpc: "2.0", id: message.id, error: { code: -32603, message: "poison" } })),
    victim: pays,
    landed: wasTold("poison"),
  },
];

/** Answers in shapes that one reader may take for something else than another. */
export const oddAnswers: readonly Attack[] = (
  [
    ["several messages at once", (text) => ({ body: `[${text}]` })],
    ["a byte order mark in front", (text) => ({ body: `\uFEFF${text}` })],
    [
      "an error beside the result",
      (text) => ({ body: text.replace("{", '{"error":{"code":1,"message":""},') }),
    ],
    ["a status that says no", (text) => ({ status: 500, body: text })],
    ["a status that says come again", (text) => ({ status: 408, body: text })],
    ["a type that isn't JSON's", (text) => ({ headers: { "content-type": "text/plain" }, body: text })],
    ["no type", (text) => ({ headers: {}, body: text })],
    ["no id", (text) => ({ body: text.replace(/"id":\d+/, '"id":null') })],
    ["its id in other words", (text) => ({ body: text.replace(/"id":(\d+)/, '"id":"+$1.0"') })],
    ["its id as a text", (text) => ({ body: text.replace(/"id":(\d+)/, '"id":"$1"') })],
    [
      "a member that only some take for the result",
      (text) => ({ body: text.replace('"result"', '"Result"') }),
    ],
    ["a stream of one event", (text) => stream(`data: ${text}\n\n`)],
    ["an event that isn't whole", (text) => stream(`data: ${text}`)],
    ["an event in many lines", (text) => stream(`data: ${text.replaceAll(",", ",\ndata: ")}\n\n`)],
    ["an error, and then the result", (text) => stream(`data: ${errorFor(text)}\n\ndata: ${text}\n\n`)],
    [
      "a goodbye",
      (text) => ({ headers: { "content-type": "application/json", "latticegate-goodbye": "1" }, body: text }),
    ],
    [
      "word that the session has ended",
      (text) => ({
        headers: { "content-type": "application/json", "latticegate-session": "ended" },
        body: text,
      }),
    ],
  ] satisfies readonly (readonly [string, (text: string) => Answering])[]
).map(([shape, write]) => ({
  name: `a made-up answer with ${shape}`,
  meddling: () => ({
    instead: ({ body }) => {
      const { id = null, method } = parsed(body);
      if (method !== "tools/call") return undefined;
      return write(JSON.stringify({ jsonrpc: "2.0", id, result: poisoned }));
    },
  }),
  victim: pays,
  landed: wasTold("poison"),
}));

const poisoned = { content: [{ type: "text", text: "poison" }] };

function stream(body: string): Answering {
  return { headers: { "content-type": "text/event-stream" }, body };
}

function errorFor(text: string): string {
  const { id } = JSON.parse(text) as Message;
  return JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32000, message: "no" } });
}

/** A call is kept, its sender told to come again, and both are delivered. */
export const keptCalls: readonly Attack[] = (
  [
    [
      "that it needs a stronger signature",
      (id) => {
        const need = { mode: "direct", alg: "ML-DSA-87" };
        const reason = "signature_required";
        const _meta = { "dev.latticegate/authorization": { reason, remediation: "available", need } };
        const result = { content: [{ type: "text", text: "no" }], isError: true, _meta };
        return { body: JSON.stringify({ jsonrpc: "2.0", id, result }) };
      },
    ],
    [
      "that its signature is too old",
      (id) => {
        const need = { mode: "direct", not_before: Math.floor(Date.now() / 1000) + 30 };
        const reason = "signature_refused";
        const _meta = {
          "dev.latticegate/authorization": { reason, fault: "stale", remediation: "available", need },
        };
        const result = { content: [{ type: "text", text: "no" }], isError: true, _meta };
        return { body: JSON.stringify({ jsonrpc: "2.0", id, result }) };
      },
    ],
    [
      "that its keys aren't known",
      (id) => {
        const reason = "signature_refused";
        const _meta = {
          "dev.latticegate/authorization": { reason, fault: "unknown_key", remediation: "available" },
        };
        const result = { content: [{ type: "text", text: "no" }], isError: true, _meta };
        return { body: JSON.stringify({ jsonrpc: "2.0", id, result }) };
      },
    ],
    [
      "that the gateway is stopping",
      () => ({ status: 408, headers: { "latticegate-goodbye": "1" }, body: "" }),
    ],
    [
      "that its session has ended",
      (id) => ({
        status: 403,
        headers: { "content-type": "application/json", "latticegate-session": "ended" },
        body: JSON.stringify({ jsonrpc: "2.0", id, error: { code: -31403, message: "ended" } }),
      }),
    ],
  ] satisfies readonly (readonly [string, (id: unknown) => Answering])[]
).map(([what, write]) => ({
  name: `a call kept, its sender told ${what}, and both delivered`,
  meddling: () => {
    let kept: Buffer | undefined;
    return {
      instead: async ({ body, send }) => {
        const { id, method } = parsed(body);
        if (method !== "tools/call") return undefined;
        if (kept !== undefined) {
          await send(kept);
          return undefined;
        }
        kept = body;
        return write(id);
      },
    };
  },
  victim: pays,
  landed: wasPaid("alice", 2),
}));
