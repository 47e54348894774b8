/** What was done about something, as a line of its story. */
import type { EntryDraft } from "../../model/entry.ts";
import type { Moment } from "./incident.ts";

const words: Readonly<Partial<Record<EntryDraft["event"], string>>> = {
  "response.act": "done:",
  "response.renew": "renewed:",
  "response.recover": "went over to",
  "response.lift": "lifted:",
  "response.propose": "proposed:",
  "response.approve": "approved:",
  "response.deny": "denied:",
  "response.dry_run": "would be done:",
  "response.fail": "failed:",
};

const maxSaysLength = 400;

/** With the keys by which its incident is found; undefined of entries about anything else. */
export function responseIn(
  entry: EntryDraft,
): { readonly moment: Moment; readonly about: readonly string[] } | undefined {
  const word = words[entry.event];
  if (word === undefined) return undefined;
  const { event, tool, facts, atUnixMs, callId } = entry;
  const { caller, server, response, cause = callId } = facts;
  const target = tool ?? server;
  const says = `${word} ${done(entry, target)}`.slice(0, maxSaysLength);
  const whose = {
    ...(caller !== undefined && { caller }),
    ...(target !== undefined && { target }),
    ...(response !== undefined && { response }),
  };
  return { moment: { atUnixMs, callId: cause, kind: event, score: 0, says, ...whose }, about: keysOf(entry) };
}

function done({ event, facts }: EntryDraft, target: string | undefined): string {
  const { action = "", until, next, by, because } = facts;
  const parts = [
    target === undefined ? action : `${action} on ${target}`,
    until === undefined || event === "response.lift" ? "" : `until ${until}`,
    next === undefined ? "" : `then ${next}`,
    by === undefined ? "" : `by ${by}`,
  ];
  const what = parts.filter((part) => part !== "").join(", ");
  return because === undefined ? what : `${what}. ${because}`;
}

function keysOf({ tool, facts }: EntryDraft): readonly string[] {
  const { caller, session, server } = facts;
  const target = tool ?? server;
  if (caller === undefined) return server === undefined ? [] : [`tools ${server}`];
  return [
    ...(session === undefined ? [] : [`session ${caller} ${session}`]),
    ...(target === undefined ? [] : [`use ${caller} ${target}`]),
    `caller ${caller}`,
  ];
}
