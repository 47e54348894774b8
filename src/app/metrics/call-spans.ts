/** The spans of one call, by OpenTelemetry's semantic conventions for MCP and GenAI, as OTLP writes them in JSON. */
import type { RequestId } from "../../wire/frame.ts";
import { printable } from "../../kernel/printable.ts";
import { riskOf, ruleOf, verdictOf } from "./counting.ts";
import type { EndedCall } from "./followed-calls.ts";

/** Whose spans these are in a trace. */
export interface SpanContext {
  readonly traceId: string;
  /** Of the gateway's own span. */
  readonly spanId: string;
  /** Of that which covers the server; its child. */
  readonly forwardId: string;
  /** The client's span. */
  readonly parentId?: string;
  readonly state?: string;
}

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue: string };
}

export interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly traceState?: string;
  readonly flags: number;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly status: { readonly code?: number };
}

/** opentelemetry/proto/trace/v1: Span.SpanKind, and Status.StatusCode. */
const kinds = { internal: 1, server: 2, client: 3 } as const;
const failed = 2;
/** Sampled. */
const flags = 1;

/** Of names that callers choose. */
const longestName = 128;

/** @param newId of a span */
export function spansOf(ended: EndedCall, context: SpanContext, newId: () => string): readonly OtlpSpan[] {
  const { startMs, decidedMs, journaledMs, forwardedMs, answeredMs, endMs } = ended;
  const name = nameOf(ended);
  const { traceId, spanId, forwardId, parentId, state } = context;
  const times = (fromMs: number, toMs: number) => ({
    startTimeUnixNano: nanos(ended.call.atUnixMs, fromMs - startMs),
    endTimeUnixNano: nanos(ended.call.atUnixMs, toMs - startMs),
  });
  const child = { traceId, parentSpanId: spanId, flags, attributes: [], status: {} };
  const stage = (stageName: string, fromMs?: number, toMs?: number): readonly OtlpSpan[] =>
    fromMs === undefined || toMs === undefined
      ? []
      : [{ ...child, spanId: newId(), name: stageName, kind: kinds.internal, ...times(fromMs, toMs) }];
  const isFailed = errorOf(ended) !== undefined;
  const own: OtlpSpan = {
    traceId,
    spanId,
    ...(parentId !== undefined && { parentSpanId: parentId }),
    ...(state !== undefined && { traceState: state }),
    flags,
    name,
    kind: kinds.server,
    ...times(startMs, endMs),
    attributes: attributesOf(ended),
    status: isFailed ? { code: failed } : {},
  };
  const isForwarded = forwardedMs !== undefined && answeredMs !== undefined;
  return [
    own,
    ...stage("judge", startMs, decidedMs),
    ...stage("journal", decidedMs, journaledMs),
    ...(isForwarded
      ? [
          {
            ...child,
            spanId: forwardId,
            name,
            kind: kinds.client,
            ...times(forwardedMs, answeredMs),
            attributes: subjectOf(ended),
          },
        ]
      : []),
    ...stage("answer", answeredMs, endMs),
  ];
}

function nanos(startUnixMs: number, afterMs: number): string {
  return String(BigInt(startUnixMs) * 1_000_000n + BigInt(Math.round(afterMs * 1e6)));
}

function methodOf({ outcome }: EndedCall): string {
  return printable(outcome.facts["method"] ?? "unread", longestName);
}

function toolOf({ outcome }: EndedCall): string | undefined {
  if (outcome.tool === null) return undefined;
  return printable(outcome.tool.slice(outcome.tool.indexOf("/") + 1), longestName);
}

function nameOf(ended: EndedCall): string {
  const tool = toolOf(ended);
  return tool === undefined ? methodOf(ended) : `${methodOf(ended)} ${tool}`;
}

/** What is asked of whom. */
function subjectOf(ended: EndedCall): readonly Attribute[] {
  const { outcome, call } = ended;
  const tool = toolOf(ended);
  const { frame } = call;
  const isCall = outcome.facts["method"] === "tools/call";
  const version = frame?.kind === "request" ? frame.params?.meta?.protocolVersion : undefined;
  return attributes({
    "mcp.method.name": methodOf(ended),
    "mcp.protocol.version": shortened(version ?? call.header("mcp-protocol-version")),
    "jsonrpc.request.id": frame?.kind === "request" ? requestId(frame.id) : undefined,
    "gen_ai.tool.name": tool,
    "gen_ai.operation.name": isCall ? "execute_tool" : undefined,
    "mcp.resource.uri": outcome.facts["resource"],
    "latticegate.server": printable(outcome.facts["server"] ?? "", longestName),
    "latticegate.call_id": outcome.callId,
  });
}

function attributesOf(ended: EndedCall): readonly Attribute[] {
  const { outcome, decision } = ended;
  const facts = decision?.facts ?? {};
  return [
    ...subjectOf(ended),
    ...attributes({
      "mcp.session.id": outcome.facts["session"],
      "network.transport": "tcp",
      "network.protocol.name": "http",
      "error.type": errorOf(ended),
      "latticegate.verdict": verdictOf(ended),
      "latticegate.rule": facts["rule"] === undefined ? undefined : ruleOf(facts["rule"]),
      "latticegate.risk.bucket": riskOf(facts["risk"]),
      "latticegate.link.group": facts["link.group"],
    }),
  ];
}

function errorOf({ outcome }: EndedCall): string | undefined {
  return outcome.facts["reason"] ?? (outcome.facts["answer"] === "failed" ? "tool_error" : undefined);
}

function requestId(id: RequestId): string {
  return printable(String(id), longestName);
}

function shortened(text: string | undefined): string | undefined {
  return text === undefined ? undefined : printable(text, longestName);
}

function attributes(values: Readonly<Record<string, string | undefined>>): readonly Attribute[] {
  return Object.entries(values).flatMap(([key, stringValue]) =>
    stringValue === undefined ? [] : [{ key, value: { stringValue } }],
  );
}

/** An ExportTraceServiceRequest. */
export function otlpBody(
  spans: readonly OtlpSpan[],
  resource: Readonly<Record<string, string>>,
  version: string,
): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: attributes(resource) },
        scopeSpans: [{ scope: { name: "latticegate", version }, spans }],
      },
    ],
  });
}
