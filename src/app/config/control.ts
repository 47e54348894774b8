/** `control` in the config: who may use the control room, as what, and for how long a login lasts. */
import { z } from "zod";

import { roles } from "../../control/login.ts";
import { ownNames, personName } from "./approvals.ts";
import { durationMs } from "./values.ts";

const person = z.strictObject({
  roles: z
    .array(z.enum(roles))
    .min(1)
    .describe(
      "What that one may do: `viewer` reads, `operator` acts, `approver` decides held calls and proposals, `admin` has all of it and people and sessions, too.",
    ),
  is: ownNames,
});

export const controlSchema = z
  .strictObject({
    people: z
      .record(personName, person)
      .default({})
      .describe(
        "People who may log in, by name; `latticegate login --person NAME` prints a link for one. Whoever may open the state folder is admin without being named.",
      ),
    sessions: z
      .strictObject({
        idle: durationMs.prefault("15m").describe("After how long without a request a session ends."),
        lifetime: durationMs.prefault("8h").describe("After how long a session ends, used or not."),
      })
      .prefault({})
      .describe("How long a login lasts."),
  })
  .prefault({})
  .describe("The control room: its people and their sessions.");

export type ControlSettings = z.output<typeof controlSchema>;
