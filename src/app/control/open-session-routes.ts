/** The sessions that are open: each person's own, and everybody's for admins. */
import { z } from "zod";

import { type Login, may, roles } from "../../control/login.ts";
import { type Route, route } from "../../control/route.ts";
import type { Session, Sessions } from "../../control/sessions.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";

const tag = "session";

export function openSessionRoutes({
  sessions,
  clock,
}: {
  readonly sessions: Sessions;
  readonly clock: Clock;
}): readonly Route[] {
  const shownTo = (login: Login): readonly Session[] =>
    sessions.list(clock.nowUnixMs()).filter((each) => may(login, "admin") || each.login.name === login.name);
  return [
    route({
      method: "GET",
      path: "/sessions",
      summary: "One's own sessions, newest first; for admins, everybody's.",
      tag,
      role: roles,
      answer: z.object({
        sessions: z.array(
          z.object({
            id: z.string(),
            name: z.string(),
            by: z.string(),
            address: z.string(),
            agent: z.string(),
            beganUnixMs: z.number(),
            expiresAtUnixMs: z.number(),
            /** The one in which this is asked. */
            isThis: z.boolean(),
          }),
        ),
      }),
      handle: ({ login, session, from }) => {
        const here = sessions.of(session, from, clock.nowUnixMs())?.id;
        return { sessions: shownTo(login).map((each) => ({ ...told(each), isThis: each.id === here })) };
      },
    }),
    route({
      method: "DELETE",
      path: "/sessions/{id}",
      summary: "Ends a session of one's own; for admins, anybody's.",
      tag,
      role: roles,
      params: z.object({ id: z.string().max(64) }),
      answer: z.object({ ended: z.string() }),
      touches: "people",
      handle: ({ params: { id }, login }) => {
        // Of another's session nobody is told whether it is there.
        if (shownTo(login).some((each) => each.id === id) && sessions.end(id)) return { ended: id };
        throw new Refusal("bad_state", `There is no session "${id}" (any more).`);
      },
    }),
  ];
}

function told({ id, login: { name, by }, from: { address, agent }, beganUnixMs, expiresAtUnixMs }: Session) {
  return { id, name, by, address, agent, beganUnixMs, expiresAtUnixMs };
}
