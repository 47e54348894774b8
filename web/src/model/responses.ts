/** What is in force against callers and tools, and what has stopped all calls, as the API has them. */
import { revealed } from "../../../src/wire/hidden-text.ts";
import { fields, items, text } from "./fields.ts";

export interface Response {
  readonly id: string;
  /** What is done against whom and what. */
  readonly what: string;
  readonly because: string;
  readonly by: string;
  readonly until: string;
}

/** A source of the kill switch that is on. */
export interface Stopped {
  readonly source: string;
  readonly because: string;
  readonly by: string;
}

export function readResponses(value: unknown): readonly Response[] {
  return items(value).map(readResponse);
}

export function readStopped(value: unknown): readonly Stopped[] {
  return Array.isArray(value)
    ? value.map(fields).map((kill) => ({
        source: text(kill["source"]),
        because: revealed(text(kill["because"])),
        by: revealed(text(kill["by"])),
      }))
    : [];
}

function readResponse(value: unknown): Response {
  const response = fields(value);
  const about = Object.entries(fields(response["scope"])).map(([name, whom]) => `${name} ${text(whom)}`);
  return {
    id: text(response["id"]),
    what: revealed(`${text(response["action"])}: ${about.join(", ")}`),
    because: revealed(text(response["because"])),
    by: revealed(text(response["by"])),
    until: text(response["until"]),
  };
}
