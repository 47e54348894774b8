/** Incidents, in lines for a terminal. INVARIANT: nothing that others said moves its cursor. */
import type { ShownIncident } from "../app/respond/incident-operations.ts";
import type { Moment } from "../respond/incidents/incident.ts";
import { shown } from "./tools-text.ts";

const columns = 11;

export function listedIncidents(incidents: readonly ShownIncident[]): readonly string[] {
  if (incidents.length === 0) return ["nothing is open"];
  return incidents.flatMap(({ incident, story }) => [
    `${incident.id}  ${incident.state.padEnd(6)}  ${incident.score.toFixed(2)}  ${shortly(story.title)}`,
    `                  ${new Date(incident.lastUnixMs).toISOString()}, done: ${shortly(story.done)}`,
  ]);
}

/** The story first; then all there is. */
export function shownIncident({ incident, story }: ShownIncident): readonly string[] {
  const { id, state, score, callers, targets, sources, timeline, done, isHard } = incident;
  const { title, what, normal, next, tags } = story;
  return [
    shortly(title),
    "",
    line("what", what),
    ...(normal === "" ? [] : [line("normal", normal)]),
    line("done", story.done),
    ...next.map(({ says, command }, at) => line(at === 0 ? "next" : "", `${says}: latticegate ${command}`)),
    "",
    line("incident", `${id}, ${state}, score ${score.toFixed(2)}, seen by a ${isHard ? "rule" : "model"}`),
    ...(incident.closedBy === undefined
      ? []
      : [line("closed", `by ${incident.closedBy}: ${incident.closedBecause ?? ""}`)]),
    ...callers.map((caller) => line("caller", caller)),
    ...targets.map((target) => line("tool", target)),
    ...sources.map((source) => line("source", source)),
    line("tags", tags.join(" ")),
    "",
    ...timeline.map((moment) => momentLine(moment)),
    ...(done.length === 0 ? [] : ["", ...done.map((moment) => momentLine(moment))]),
  ];
}

function momentLine({ atUnixMs, kind, score, says, callId, target }: Moment): string {
  const worth = score > 0 ? `${score.toFixed(2)} ` : "";
  const at = target === undefined ? "" : ` ${shown(target)}`;
  return `${new Date(atUnixMs).toISOString()}  ${worth}${shown(kind)}${at}  ${shortly(says)}  (call ${callId})`;
}

function line(name: string, text: string): string {
  return `${name.padEnd(columns)}${shortly(text)}`;
}

/** Callers as people say them: without the trust domain that they share. */
function shortly(text: string): string {
  return shown(text.replaceAll(/(?<!["'=\w]|--caller )spiffe:\/\/[^/\s]+\/(?=\w)/g, ""));
}
