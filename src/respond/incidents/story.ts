/** An incident as a person reads it: ten seconds first, then all of it; and as the audit log has it. */
import type { EntryDraft } from "../../model/entry.ts";
import { tagsOf } from "../signal-kinds.ts";
import type { Incident } from "./incident.ts";
import { maySuppress } from "./suppression.ts";

export interface Story {
  readonly title: string;
  /** What happened how often since when, in a sentence. */
  readonly what: string;
  /** What was seen of the same before; "" if nothing was. */
  readonly normal: string;
  /** What was done, the newest; and what else there is. */
  readonly done: string;
  /** What a person may do next: sentences, each with the command to type. */
  readonly next: readonly Step[];
  readonly tags: readonly string[];
}

interface Step {
  readonly says: string;
  /** Without what starts the program's own. */
  readonly command: string;
}

export function storyOf(incident: Incident): Story {
  const { openedUnixMs, timeline, findings, kinds, normal, callers, sessions } = incident;
  const first = timeline[0]?.atUnixMs ?? openedUnixMs;
  const count = findings === 1 ? "1 finding" : `${findings} findings`;
  const seen = Object.keys(kinds).map(plainKind).join(", ");
  const where = [
    callers.length > 1 ? `${callers.length} callers` : "",
    sessions.length > 1 ? `${sessions.length} sessions` : "",
  ].filter((part) => part !== "");
  const of = where.length === 0 ? "" : ` of ${where.join(" in ")}`;
  return {
    title: incident.title,
    what: `${count}${of} since ${new Date(first).toISOString()}: ${seen}.`,
    normal,
    done: doneIn(incident),
    next: stepsOf(incident),
    tags: tagsOf(Object.keys(kinds)),
  };
}

function plainKind(kind: string): string {
  const words = kind.split(" ");
  return words.length === 1 ? kind : (words[1] ?? kind);
}

function doneIn({ done, kinds }: Incident): string {
  const newest = done.at(-1);
  if (newest !== undefined) {
    const more = done.length > 1 ? ` (and ${done.length - 1} before)` : "";
    return `${newest.says}${more}`;
  }
  const denied = kinds["denied"];
  if (denied !== undefined)
    return denied.times === 1 ? "1 call was refused." : `${denied.times} calls were refused.`;
  return "nothing by itself";
}

/** Of these kinds, by how they begin: what to look at. */
const looks: readonly {
  readonly kinds: readonly string[];
  readonly says: string;
  readonly command: string;
}[] = [
  { kinds: ["drift", "tool "], says: "See what changed", command: "tools diff SERVER" },
  { kinds: ["regression"], says: "See what its links were", command: "crypto peers" },
  { kinds: ["signature"], says: "See whose keys count", command: "pins list" },
  { kinds: ["egress"], says: "At the server, see where it was cut", command: "egress list" },
  { kinds: ["log"], says: "Verify the log", command: "audit verify" },
  {
    kinds: ["identity", "flow handshake.clients"],
    says: "Take its identity from it",
    command: "ca revoke CALLER",
  },
  { kinds: [""], says: "See its calls", command: "audit query --caller CALLER" },
  { kinds: [""], says: "See who else read it", command: "audit query --tool SOURCE" },
  { kinds: [""], says: "Undo what was done", command: 'response lift RESPONSE --because "…"' },
];

function stepsOf(incident: Incident): readonly Step[] {
  const { id, kinds, callers, targets, sources, state, done } = incident;
  const named: Readonly<Record<string, string | undefined>> = {
    SERVER: targets[0]?.split("/", 1)[0],
    CALLER: callers[0],
    SOURCE: sources[0],
    RESPONSE: done.findLast(({ kind }) => kind === "response.act")?.response,
  };
  const looking = looks.flatMap(({ kinds: beginnings, says, command }): readonly Step[] => {
    if (!Object.keys(kinds).some((kind) => beginnings.some((each) => kind.startsWith(each)))) return [];
    const [place] = command.match(/[A-Z]{4,}/) ?? [];
    if (place === undefined) return [{ says, command }];
    const name = named[place];
    return name === undefined ? [] : [{ says, command: command.replace(place, () => quoted(name)) }];
  });
  if (state !== "open") return looking;
  const closing = { says: "It is dealt with", command: `incidents close ${id} --because "…"` };
  const place = placeOf(incident);
  const kind = worstKind(incident);
  if (place === undefined || !maySuppress(kind)) return [...looking, closing];
  const command = `incidents suppress ${quoted(kind)} ${place} --for 30d --because "…"`;
  return [...looking, closing, { says: "It is known and harmless", command }];
}

function placeOf({ callers, targets, sources }: Incident): string | undefined {
  const [[source], [caller], [target]] = [sources, callers, targets];
  if (source !== undefined) return `--source ${quoted(source)}`;
  if (caller !== undefined) return `--caller ${quoted(caller)}`;
  return target === undefined ? undefined : `--tool ${quoted(target)}`;
}

/** The kind of signal with the highest score. */
function worstKind({ kinds }: Incident): string {
  const [worst] = Object.entries(kinds).toSorted(([, a], [, b]) => b.score - a.score);
  return worst?.[0] ?? "";
}

/** For a shell: names of OAuth's callers and of tools may have anything in them. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}

/** What the audit log has of it. @param gatewayId acts where no single caller did */
export function incidentFacts(
  incident: Incident,
  gatewayId: string,
): Pick<EntryDraft, "principal" | "tool" | "facts"> {
  const { id, title, score, kinds, callers, targets, findings, state, closedBy, closedBecause } = incident;
  const [caller, ...others] = callers;
  const tool = targets.find((target) => target.includes("/"));
  const server = (tool ?? targets[0])?.split("/", 1)[0];
  const principal = caller !== undefined && others.length === 0 ? caller : gatewayId;
  return {
    principal: principal.startsWith("(") ? gatewayId : principal,
    tool: tool ?? null,
    facts: {
      incident: id,
      title,
      score: score.toFixed(3),
      kinds: Object.keys(kinds)
        .map((kind) => kind.replaceAll(" ", ":"))
        .join(" "),
      ...(caller !== undefined && { caller }),
      ...(server !== undefined && { server }),
      tags: tagsOf(Object.keys(kinds)).join(" "),
      findings: String(findings),
      state,
      hard: String(incident.isHard),
      ...(others.length > 0 && { callers: String(callers.length) }),
      ...(closedBy !== undefined && { by: closedBy }),
      ...(closedBecause !== undefined && { because: closedBecause }),
    },
  };
}
