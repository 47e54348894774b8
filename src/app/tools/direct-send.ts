/** Requests to a server with nobody in between: for commands that ask it by themselves, beside any gateway. */
import { randomUUIDv7 } from "node:crypto";

import type { Journaled } from "../../gate/call.ts";
import type { Upstreams } from "../../gate/ports.ts";
import { valueOf } from "../../host/net/headers.ts";
import { type CollectedAnswer, collected, type HttpRequest } from "../../host/net/http-exchange.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Caller } from "../../model/caller.ts";
import type { Channel } from "../../model/channel.ts";
import { decide } from "../../policy/decide.ts";
import { compileRules } from "../../policy/rules.ts";
import { readFrame } from "../../wire/frame.ts";
import type { SseEvent } from "../../wire/sse.ts";

/** Who asks: the person at the command line, who could as well start the server. */
const name = "spiffe://localhost/operator/command";

const channel: Channel = {
  group: "none",
  keyExchange: "hybrid",
  level: 0,
  version: "none",
  profile: "none",
  peer: {
    kind: "svid",
    keyAlgorithm: "none",
    spiffeId: name,
    serial: "00",
    issuer: "",
    notAfterUnixMs: Infinity,
  },
  remote: "local",
};

const rules = compileRules([
  {
    name: "operator",
    callers: [name],
    tools: ["*"],
    resources: ["*"],
    prompts: ["*"],
    effect: "allow",
    because: "Commands ask servers on their user's behalf.",
    mode: "enforce",
  },
]);

export function directSend(
  upstreams: Pick<Upstreams, "forward">,
  server: string,
  clock: Clock,
): (request: Omit<HttpRequest, "path">) => Promise<CollectedAnswer> {
  return async (request) => {
    const answer = await upstreams.forward(callOf(request, server, clock));
    if (answer.kind === "stream") {
      const { status, headers, events } = answer;
      return { kind: "stream", status, headers: [...headers], chunks: rawOf(events) };
    }
    const whole = await collected({ ...answer, headers: [...answer.headers] });
    // One that came as an event is answered with the message in it.
    return answer.kind === "whole" && answer.message !== undefined
      ? { ...whole, kind: "whole", body: answer.message }
      : whole;
  };
}

function callOf(request: Omit<HttpRequest, "path">, server: string, clock: Clock): Journaled {
  const { method: verb, headers, body = new Uint8Array(0) } = request;
  const caller: Caller = {
    id: name,
    chain: [],
    proof: { kind: "svid", serial: "00", issuer: "", notAfterUnixMs: Infinity },
  };
  const link = { group: channel.group, level: 0, isPostQuantum: true, certificate: undefined };
  const question = { caller, link, server };
  const verdict = decide(question, rules);
  if (verdict.kind !== "permit") throw new Error("the one rule there is allows the one caller there is");
  const header = (lowerCaseName: string): string | undefined => valueOf(headers, lowerCaseName);
  const session = header("mcp-session-id");
  return {
    id: randomUUIDv7(),
    atUnixMs: clock.nowUnixMs(),
    channel,
    server,
    verb,
    header,
    headers,
    body,
    reply: nobody,
    caller,
    delegation: "checked",
    clientSession: "",
    sessionBeganUnixMs: 0,
    claims: "uncontradicted",
    opened: "checked",
    ...(body.length > 0 && { frame: readFrame(body) }),
    ...(session !== undefined && { session }),
    findings: () => [],
    question,
    verdict,
    receipt: { index: 0 },
  };
}

/** Answers come back as what `forward` returns. */
const nobody: Journaled["reply"] = {
  whole: () => undefined,
  open: () => undefined,
  write: () => Promise.resolve(),
  close: () => undefined,
  cut: () => undefined,
  gone: new AbortController().signal,
};

async function* rawOf(events: AsyncIterable<SseEvent>): AsyncGenerator<Uint8Array, void> {
  for await (const { raw } of events) yield raw;
}
