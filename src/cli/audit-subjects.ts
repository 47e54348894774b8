/** `latticegate audit subjects | erase | digest`: those the log speaks of, and what was said with them. */
import {
  eraseSubject,
  type ErasurePlan,
  isWhatWas,
  listSubjects,
  planErasure,
} from "../app/subject-operations.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { breaksCode, type Command } from "./command.ts";
import { logFolder, placeIn, placeOptions } from "./log-place.ts";

export const auditSubjects = {
  options: { ...placeOptions, json: { type: "boolean", help: "Print JSON." } },
  run: async (call) => {
    const { subjects, isCut } = await listSubjects(placeIn(call));
    const rows = subjects.map(({ id, pseudonym, firstUnixMs }) => ({
      id,
      pseudonym,
      first_seen: new Date(firstUnixMs).toISOString(),
    }));
    if (call.flag("json")) call.out(JSON.stringify(rows, null, 2));
    else for (const row of rows) call.out(`${row.pseudonym}  ${row.first_seen}  ${row.id}`);
    if (isCut) console.error(`audit subjects: there are more; these are the first ${subjects.length}`);
    return 0;
  },
} as const satisfies Command;

export const auditErase = {
  options: {
    ...placeOptions,
    yes: { type: "boolean", help: "Do it; without this the plan is printed, and the exit code is 3." },
  },
  run: async (call) => {
    const [who, ...more] = call.positionals;
    if (who === undefined || more.length > 0) {
      throw new Refusal(
        "bad_config",
        "Name one subject by its exact name or pseudonym; `latticegate audit subjects` lists them.",
      );
    }
    const place = placeIn(call);
    const plan = await planErasure(place, who, systemClock);
    for (const line of planText(plan)) call.out(line);
    if (!call.flag("yes")) {
      call.out("Nothing was erased. It can't be undone; say --yes.");
      return breaksCode;
    }
    await eraseSubject(place, plan, `audit erase (uid ${process.getuid?.() ?? "unknown"})`, systemClock);
    call.out(
      "erased; whoever writes the log has forgotten it, and puts that on record at once, or with the next start",
    );
    return 0;
  },
} as const satisfies Command;

function planText({ pseudonym, id, entries, plainEntries, staying }: ErasurePlan): readonly string[] {
  return [
    id === undefined
      ? `${pseudonym} was erased before; what is left of it on disk is overwritten again`
      : `${id} is ${pseudonym}`,
    `${entries} entries stay in the log under ${pseudonym}`,
    ...(plainEntries > 0
      ? [`${plainEntries} entries from before there were pseudonyms have the name itself, and keep it`]
      : []),
    ...staying.map(({ what, rows }) => `stays, because it is in force: ${rows} of ${what}`),
    "not reached: backups, exports and copies of the state folder, the gateway's own output, other systems' logs",
  ];
}

export const auditDigest = {
  options: {
    ...placeOptions,
    log: { type: "string", value: "FOLDER", help: "A copy of the log, instead of the state folder's." },
    request: { type: "string", value: "FILE", help: "What was asked: the body as it was sent." },
    answer: {
      type: "string",
      value: "FILE",
      help: "What the server answered: the body, of a stream up to the event that answers.",
    },
  },
  run: async (call) => {
    const [callId, ...more] = call.positionals;
    const given = (["request", "answer"] as const).flatMap((side) => {
      const file = call.text(side);
      return file === undefined ? [] : [{ side, file }];
    });
    const [asked] = given;
    if (callId === undefined || more.length > 0 || asked === undefined || given.length > 1) {
      throw new Refusal("bad_config", "Expected a call's id, and either --request FILE or --answer FILE.");
    }
    const { side, file } = asked;
    const isSame = await isWhatWas(side, file, { place: placeIn(call), log: logFolder(call), callId });
    call.out(isSame ? `${file} is the ${side} of ${callId}` : `${file} isn't the ${side} of ${callId}`);
    return isSame ? 0 : 1;
  },
} as const satisfies Command;
