/** Incidents as the API has them, as a person reads them. What others wrote is shown as what it is. */
import { revealed } from "../../../src/wire/hidden-text.ts";
import { fields, items, list, number, text } from "./fields.ts";

export interface Incident {
  readonly id: string;
  readonly title: string;
  readonly score: number;
  readonly last: number;
  readonly what: string;
  /** "" if nothing was seen before. */
  readonly normal: string;
  readonly done: string;
  readonly next: readonly { readonly says: string; readonly command: string }[];
  readonly timeline: readonly {
    readonly at: number;
    readonly kind: string;
    readonly says: string;
    readonly callId: string;
  }[];
}

export function readIncidents(value: unknown): readonly Incident[] {
  return items(value).map(readIncident);
}

export function readIncident(value: unknown): Incident {
  const { incident: found, story: told } = fields(value);
  const [incident, story] = [fields(found), fields(told)];
  return {
    id: text(incident["id"]),
    title: shortly(text(story["title"])),
    score: number(incident["score"]),
    last: number(incident["lastUnixMs"]),
    what: shortly(text(story["what"])),
    normal: shortly(text(story["normal"])),
    done: shortly(text(story["done"])),
    next: list(story["next"]).map((step) => ({
      says: revealed(text(step["says"])),
      command: revealed(`latticegate ${text(step["command"])}`),
    })),
    timeline: list(incident["timeline"]).map((moment) => ({
      at: number(moment["atUnixMs"]),
      kind: revealed(text(moment["kind"])),
      says: shortly(text(moment["says"])),
      callId: text(moment["callId"]),
    })),
  };
}

/** Callers as people say them: without the trust domain that they share. */
function shortly(words: string): string {
  return revealed(words.replaceAll(/(?<![\w"'=])spiffe:\/\/[^/\s]+\/(?=\w)/g, ""));
}
