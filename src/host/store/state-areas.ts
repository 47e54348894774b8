/** What of the state is something else than it was, area by area, whoever changed it: this process or another. */
import { openDatabase } from "./database.ts";

type StateArea = keyof typeof markOf;

export interface StateAreas {
  /**
   * Cheap where nothing was written at all.
   * @returns the areas that are something else than at the last look; all of them at the first one
   */
  readonly changed: () => readonly StateArea[];
  readonly close: () => void;
}

/** One value of each area that is another one after each change that people see. Those that are listed count. */
const markOf = {
  incidents: `select json_array(
      (select json_group_array(json_array(id, text ->> 'findings', text ->> 'score', json_array_length(text, '$.done')))
        from (select id, text from incidents where state = 'open' order by opened_unix_ms desc limit 500)),
      (select max(opened_unix_ms) from incidents),
      (select json_group_array(id) from incident_suppressions),
      (select max(id) from incidents_held_back)) as mark`,
  approvals: `select json_array(
      (select json_group_array(json_array(id, state)) from approvals where state in ('waiting', 'approved')),
      (select max(rowid) from approvals),
      (select max(rowid) from approval_votes),
      (select json_group_array(json_array(id, text ->> 'state', json_array_length(text, '$.votes')))
        from (select id, text from proposals order by asked_unix_ms desc limit 200))) as mark`,
  responses: `select json_array(
      (select json_group_array(id || text) from restrictions),
      (select json_group_array(source || since_unix_ms || because) from kills)) as mark`,
  tools: "select json_group_array(json_array(server, revision)) as mark from tool_pins",
} as const;

const areas = Object.keys(markOf) as readonly StateArea[];

/** @throws Refusal `bad_state` if the file can't be opened, or misses what a gateway that runs has made */
export function openStateAreas(file: string): StateAreas {
  // A connection of its own: to it, this process's other connections are somebody else.
  const db = openDatabase(file, () => {});
  const version = db.prepare("pragma data_version");
  const marks = areas.map((area) => ({ area, find: db.prepare(markOf[area]) }));
  const last = new Map<StateArea, unknown>();
  let seen: unknown;
  return {
    changed: () => {
      const now = version.get()?.["data_version"];
      if (now === seen) return [];
      const news = marks.flatMap(({ area, find }) => {
        const mark = find.get()?.["mark"];
        if (last.has(area) && last.get(area) === mark) return [];
        last.set(area, mark);
        return [area];
      });
      seen = now;
      return news;
    },
    close: () => db.close(),
  };
}
