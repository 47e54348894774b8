/** What is in force against callers and tools, and what has stopped all calls, as the API has them. */
import { revealed } from "../../../src/wire/hidden-text.ts";
import { fields, items, list, text } from "./fields.ts";
import { shown } from "./names.ts";
import { actionTitle } from "./orders.ts";

export interface Response {
  readonly id: string;
  /** What is done against whom and what. */
  readonly what: string;
  readonly action: string;
  /** As the gateway has them: for comparing, not for showing. */
  readonly scope: Readonly<Record<string, string>>;
  readonly because: string;
  readonly by: string;
  readonly since: string;
  readonly until: string;
  /** What it becomes then; "" if it ends. */
  readonly next: string;
  readonly incident: string | undefined;
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

export function readKill(value: unknown): readonly Stopped[] {
  return readStopped(fields(value)["stopped"]);
}

function readResponse(value: unknown): Response {
  const response = fields(value);
  const action = text(response["action"]);
  const scope = Object.fromEntries(
    Object.entries(fields(response["scope"])).map(([name, whom]) => [name, text(whom)]),
  );
  return {
    id: text(response["id"]),
    what: `${actionTitle(action)}: ${scopeWords(scope)}`,
    action,
    scope,
    because: revealed(text(response["because"])),
    by: revealed(text(response["by"])),
    since: text(response["since"]),
    until: text(response["until"]),
    next: list(response["next"])
      .map((stage) => actionTitle(text(stage["action"])))
      .join(", then "),
    incident: text(response["incident"]) || undefined,
  };
}

/** "agent/x at bank/pay", "session … of agent/x". */
export function scopeWords({
  caller,
  user,
  session,
  server,
  tool,
}: Readonly<Record<string, string>>): string {
  const at = [server, tool].filter((name) => name !== undefined).join("/");
  const who = [
    session === undefined ? "" : `session ${session} of`,
    caller ?? "",
    user === undefined ? "" : `for ${user}`,
  ].filter((part) => part !== "");
  const words = who.join(" ");
  return shown(words === "" ? at : at === "" ? words : `${words} at ${at}`);
}
