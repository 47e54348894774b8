/** Events in the Common Event Format, version 0: one line each, whatever stands in a name. */
import { revealed } from "../../wire/hidden-text.ts";
import { type Room, shortenedText } from "./shortened.ts";
import { type Severity, summaryOf } from "./summary.ts";
import type { Teller, Told } from "./told.ts";

/** From 0 to 10. */
const severityOf: Readonly<Record<Severity, number>> = {
  informational: 1,
  low: 3,
  medium: 5,
  high: 8,
  critical: 10,
};

export function cefLine(told: Told, { version }: Teller, room?: Room): string {
  const { says, severity, score, kinds, tags, server, agentic } = summaryOf(told);
  const { delegation_path: path, attestation_state: attestation, correlation_id: correlation } = agentic;
  const shown = (text: string): string => {
    const line = oneLine(text);
    return room === undefined || text === told.uid ? line : shortenedText(line, room.text, text);
  };
  const header = ["Latticegate", "Latticegate", version, told.event, told.event].map((text) =>
    headerText(shown(text)),
  );
  const extension: Readonly<Record<string, string | number | undefined>> = {
    rt: told.atUnixMs,
    externalId: told.uid,
    act: told.facts["action"] ?? told.event,
    outcome: told.outcome,
    suser: told.principal,
    destinationServiceName: server,
    msg: says,
    cat: kinds.length === 0 ? undefined : kinds.join(" "),
    delegation_path: path.join(" > "),
    attestation_state: attestation,
    correlation_id: correlation,
    mcp_method: agentic.mcp_method,
    mcp_name: agentic.mcp_name,
    lg_rule: told.facts["rule"],
    lg_incident: told.facts["incident"],
    lg_response: told.facts["response"],
    lg_until: told.facts["until"],
    lg_link_group: told.facts["link.group"],
    lg_score: score,
    lg_tags: tags.length === 0 ? undefined : tags.join(" "),
  };
  const pairs = Object.entries(extension).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${extensionText(shown(String(value)))}`],
  );
  return `CEF:0|${header.join("|")}|${severityOf[severity]}|${pairs.join(" ")}`;
}

function headerText(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("|", "\\|");
}

function extensionText(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("=", "\\=");
}

/** INVARIANT: nothing that a reader of lines, or of a screen, takes for something else: such characters are spelled out. */
function oneLine(text: string): string {
  return revealed(text.replaceAll(/\r\n|\r|\n/g, " ⏎ "));
}
