/** Events as log records of OpenTelemetry, in OTLP's JSON (opentelemetry-proto, logs/v1), with the names of its conventions. */
import { type Severity, summaryOf } from "./summary.ts";
import type { Teller, Told } from "./told.ts";

/** SeverityNumber of the data model. */
const severityOf: Readonly<Record<Severity, readonly [number, string]>> = {
  informational: [9, "INFO"],
  low: [10, "INFO2"],
  medium: [13, "WARN"],
  high: [17, "ERROR"],
  critical: [21, "FATAL"],
};

type Attribute = readonly [name: string, value: string | number | readonly string[] | undefined];

/** One request. */
export function otlpLogs(events: readonly Told[], teller: Teller, nowUnixMs: number): object {
  const { origin, version, host } = teller;
  const resource = attributes([
    ["service.name", "latticegate"],
    ["service.version", version],
    ["service.instance.id", origin],
    ["host.name", host],
  ]);
  const logRecords = events.map((told) => recordOf(told, nowUnixMs));
  return {
    resourceLogs: [
      {
        resource: { attributes: resource },
        scopeLogs: [{ scope: { name: "latticegate", version }, logRecords }],
      },
    ],
  };
}

function recordOf(told: Told, nowUnixMs: number): object {
  const { says, severity, score, kinds, tags, server, agentic } = summaryOf(told);
  const [severityNumber, severityText] = severityOf[severity];
  return {
    timeUnixNano: nanoseconds(told.atUnixMs),
    observedTimeUnixNano: nanoseconds(nowUnixMs),
    severityNumber,
    severityText,
    eventName: `latticegate.${told.event}`,
    body: { stringValue: says },
    attributes: attributes([
      ["log.record.uid", told.uid],
      ["user.id", told.principal],
      ["mcp.method.name", agentic.mcp_method],
      ["gen_ai.tool.name", told.tool === null ? undefined : agentic.mcp_name],
      ["delegation_path", agentic.delegation_path],
      ["attestation_state", agentic.attestation_state],
      ["correlation_id", agentic.correlation_id],
      ["mcp_method", agentic.mcp_method],
      ["mcp_name", agentic.mcp_name],
      ["latticegate.outcome", told.outcome],
      ["latticegate.server", server],
      ["latticegate.score", score],
      ["latticegate.kinds", kinds.length === 0 ? undefined : kinds],
      ["latticegate.tags", tags.length === 0 ? undefined : tags],
      ...Object.entries(told.facts).map(([name, value]): Attribute => [`latticegate.fact.${name}`, value]),
    ]),
  };
}

function attributes(list: readonly Attribute[]): readonly object[] {
  return list.flatMap(([key, value]) => (value === undefined ? [] : [{ key, value: valueOf(value) }]));
}

function valueOf(value: string | number | readonly string[]): object {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "number") return { doubleValue: value };
  return { arrayValue: { values: value.map((each) => ({ stringValue: each })) } };
}

function nanoseconds(unixMs: number): string {
  return `${unixMs}000000`;
}
