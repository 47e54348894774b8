/**
 * Which eras of MCP a server speaks, found out by asking: a modern one answers `server/discover`, a legacy one
 * `initialize`. What says nothing of an era (the server is down, or doesn't want us) isn't remembered.
 */
import type { Answer, Journaled } from "../../gate/call.ts";
import { envelopeOf, legacyVersion, request } from "../../bridge/requests.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Era, RequestFrame, ResponseFrame } from "../../wire/frame.ts";
import { isModernVersion } from "../../wire/protocol-version.ts";
import { standardHeaders } from "../../wire/mcp-headers.ts";
import { valueOf } from "../net/headers.ts";
import type { Upstream } from "../net/upstreams.ts";
import { ignored, innerCall, messagesIn, postHeaders } from "./inner-call.ts";

export interface EraProbe {
  /** Whether it speaks that era; undefined if that can't be told just now. */
  readonly speaks: (era: Era, call: Journaled) => Promise<boolean | undefined>;
}

export interface EraProbeOptions {
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** Of the gateway, for servers that ask who is there. */
  readonly version: string;
}

/** Servers are renewed. */
const rememberedMs = 10 * 60_000;
/** As long as a server may ignore a question of another era. */
const probeTimeoutMs = 5000;
/** What is read of an answer to find out. */
const maxAnswerBytes = 1024 * 1024;

export function eraProbe(options: EraProbeOptions): EraProbe {
  const known = new Map<Era, { readonly speaks: boolean; readonly untilUnixMs: number }>();
  const asking = new Map<Era, Promise<boolean | undefined>>();
  const ask = async (era: Era, call: Journaled): Promise<boolean | undefined> => {
    const answered = await probed(era, call, options);
    // That it took no question says little by itself: it may be busy, or mind something of this caller's. A verdict
    // counts for all callers, so a legacy server has to show that it is one.
    const isProven =
      era === "legacy" || answered !== false || (await probed("legacy", call, options)) === true;
    const speaks = isProven ? answered : undefined;
    // What was known holds until something else is: sessions that were opened by it go on.
    if (speaks === undefined) return known.get(era)?.speaks;
    known.set(era, { speaks, untilUnixMs: options.clock.nowUnixMs() + rememberedMs });
    return speaks;
  };
  return {
    speaks: async (era, call) => {
      const found = known.get(era);
      if (found !== undefined && options.clock.nowUnixMs() < found.untilUnixMs) return found.speaks;
      const running = asking.get(era) ?? ask(era, call).finally(() => asking.delete(era));
      asking.set(era, running);
      return await running;
    },
  };
}

async function probed(era: Era, asking: Journaled, options: EraProbeOptions): Promise<boolean | undefined> {
  // It never said this, whatever it signed.
  const call: Journaled = { ...asking, isOwn: true };
  const question = era === "modern" ? discover(options) : initialize(options);
  const gone = AbortSignal.timeout(probeTimeoutMs);
  const headers = [...postHeaders, ...standardHeaders(question).flat()];
  let answer: Answer;
  let response: ResponseFrame | undefined;
  try {
    answer = await options.upstream.forward(
      innerCall(call, { verb: "POST", frame: question, headers, gone }),
    );
    response = await responseTo(question, answer);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // Silence is an answer: legacy servers may ignore what they don't know.
    return gone.aborted && era === "modern" ? false : undefined;
  }
  const { status } = answer;
  if (saysNothing(status)) return undefined;
  if (era === "modern") return response?.result !== undefined;
  await left(valueOf(answer.headers, "mcp-session-id"), call, options.upstream);
  const version = response?.result?.protocolVersion;
  return version !== undefined && !isModernVersion(version);
}

/** Of an era: the server is down, or doesn't want us. */
function saysNothing(status: number): boolean {
  return status === 401 || status === 403 || status === 429 || status >= 500;
}

async function responseTo(question: RequestFrame, answer: Answer): Promise<ResponseFrame | undefined> {
  try {
    for await (const frame of messagesIn(answer, maxAnswerBytes))
      if (frame.kind === "response" && frame.id === question.id) return frame;
    return undefined;
  } finally {
    await ignored(answer);
  }
}

/** The session that was opened to find out. */
async function left(session: string | undefined, call: Journaled, upstream: Upstream): Promise<void> {
  if (session === undefined) return;
  const gone = AbortSignal.timeout(probeTimeoutMs);
  const end = innerCall(call, { verb: "DELETE", headers: [], session, gone });
  await upstream.forward(end).then(ignored, () => undefined);
}

function discover({ version }: EraProbeOptions): RequestFrame {
  const self = { clientInfo: { name: "latticegate", version }, capabilities: {} };
  return request("latticegate-discover", "server/discover", { _meta: envelopeOf(self) });
}

function initialize({ version }: EraProbeOptions): RequestFrame {
  const clientInfo = { name: "latticegate", version };
  const params = { protocolVersion: legacyVersion, capabilities: {}, clientInfo };
  return request("latticegate-initialize", "initialize", params);
}
