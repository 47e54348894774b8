/** Calls as spans: whose trace each belongs to, which are traced, and what servers are told of it. */
import type { Journaled, Read, Received } from "../../gate/call.ts";
import { batchedPost } from "../../host/metrics/batched-post.ts";
import { freshSpanId, freshTraceId } from "../../host/metrics/trace-ids.ts";
import { gatewayIdOf } from "../../identity/spiffe-id.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { signatureKey } from "../../integrity/envelope.ts";
import { type Frame, readFrame, type RequestFrame } from "../../wire/frame.ts";
import { edited } from "../../wire/json-edit.ts";
import { parentEdit, traceParentOf } from "../../wire/trace-context.ts";
import type { Config } from "../config.ts";
import type { TracesSettings } from "../config/traces.ts";
import { secretFrom } from "../secret-source.ts";
import { version } from "../version.ts";
import { type OtlpSpan, otlpBody, type SpanContext, spansOf } from "./call-spans.ts";
import type { EndedCall } from "./followed-calls.ts";

export interface TracedCalls {
  /** Absent for a call that isn't traced. */
  readonly contextOf: (call: Received & Partial<Read>) => SpanContext | undefined;
  /** The call as its server is to see it. */
  readonly departing: (call: Journaled, context: SpanContext | undefined) => Journaled;
  readonly ended: (ended: EndedCall) => void;
  readonly counts: () => { readonly sent: number; readonly dropped: number };
  readonly stop: () => Promise<void>;
}

/** @throws Refusal `bad_config` if a header's value can't be had */
export function tracedCalls(config: Config, settings: TracesSettings, log: Log): TracedCalls {
  const { folder, trust_domain: trustDomain } = config;
  const headers = Object.entries(settings.headers).map(
    ([name, source]) => [name, secretFrom(source, `traces.headers.${name}`, folder)] as const,
  );
  const resource = {
    "service.name": settings.service,
    "service.version": version,
    "service.instance.id": gatewayIdOf(trustDomain),
  };
  const exporter = batchedPost<OtlpSpan>({
    url: settings.url,
    headers: { ...Object.fromEntries(headers), "content-type": "application/json" },
    bodyOf: (spans) => otlpBody(spans, resource, version),
    name: "traces",
    log,
  });
  return {
    contextOf: (call) => contextOf(call, settings.sample),
    departing: (call, context) =>
      context === undefined || !settings.rewrite_parent ? call : withParent(call, context),
    ended: (ended) => {
      const context = ended.trace === undefined ? contextOf(ended.call, settings.sample) : ended.trace;
      if (context) for (const span of spansOf(ended, context, freshSpanId)) exporter.add(span);
    },
    counts: exporter.counts,
    stop: exporter.stop,
  };
}

/** Which calls are traced our own random numbers say: nobody can hide from it, or have all of theirs kept. */
function contextOf(call: Received & Partial<Read>, sample: number): SpanContext | undefined {
  const spanId = freshSpanId();
  if (Number.parseInt(spanId.slice(0, 8), 16) >= sample * 2 ** 32) return undefined;
  const frame = call.frame?.kind === "response" ? undefined : call.frame;
  const parent = traceParentOf(frame, call.header);
  return {
    traceId: parent?.traceId ?? freshTraceId(),
    spanId,
    forwardId: freshSpanId(),
    ...(parent && { parentId: parent.parentId }),
    ...(parent?.state !== undefined && { state: parent.state }),
  };
}

/**
 * INVARIANT: what is signed for the other end stays as it is, and so does what would be more than a reader takes; of the
 * rest each byte does but those of the parent.
 */
function withParent(call: Journaled, { traceId, forwardId }: SpanContext): Journaled {
  const { frame, signature } = call;
  if (frame?.kind !== "request" || signature?.end === "between" || isSigned(frame)) return call;
  const edit = parentEdit(frame, { traceId, parentId: forwardId, flags: "01" });
  if (edit === undefined) return call;
  const body = edited(frame.bytes, [edit]);
  const changed = readIfSmall(body);
  return changed === undefined ? call : { ...call, body, frame: changed };
}

/** It was read before, so that it has members without number is all that can be wrong with it now. */
function readIfSmall(body: Uint8Array): Frame | undefined {
  try {
    return readFrame(body);
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

function isSigned({ params }: RequestFrame): boolean {
  return params?.meta?.members.has(signatureKey) === true;
}
