/** Who may come into the control room, how, and who did last. */
import { z } from "zod";

import { roles } from "../../control/login.ts";
import { Reply, type Route, route } from "../../control/route.ts";
import type { Sessions } from "../../control/sessions.ts";
import type { PeopleStore } from "../../host/store/state-people.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Config } from "../config.ts";
import { loginNamed, operatorName, personNamed } from "./known-people.ts";

export interface PeopleNeeds {
  readonly config: Pick<Config, "approvals" | "control">;
  readonly store: PeopleStore;
  readonly sessions: Sessions;
  readonly clock: Clock;
}

const tag = "session";

const personAnswer = z.object({
  /** As the audit log has it. */
  name: z.string(),
  roles: z.array(z.enum(roles)),
  /** False: came in once, or has passkeys, and the config doesn't name it; members of groups, and those who were taken out. */
  isNamed: z.boolean(),
  ways: z.object({
    link: z.boolean(),
    oidc: z.boolean(),
    /** Its own, for what it may approve. */
    token: z.boolean(),
    passkeys: z.number(),
  }),
  lastLogin: z.object({ way: z.string(), atUnixMs: z.number() }).nullable(),
  /** Sessions that are open. */
  sessions: z.number(),
});

export function peopleRoutes(needs: PeopleNeeds): readonly Route[] {
  const { config, store, sessions } = needs;
  return [
    route({
      method: "GET",
      path: "/people",
      summary: "Who may log in, as what and by which ways; and groups of the provider that have roles.",
      tag,
      role: "admin",
      answer: z.object({
        people: z.array(personAnswer),
        groups: z.array(z.object({ group: z.string(), roles: z.array(z.enum(roles)) })),
      }),
      handle: () => {
        const groups = Object.entries(config.control.oidc?.groups?.roles ?? {});
        return { people: everybody(needs), groups: groups.map(([group, has]) => ({ group, roles: has })) };
      },
    }),
    route({
      method: "DELETE",
      path: "/people/{name}/passkeys",
      summary: "Removes all passkeys of somebody, and ends the sessions that they began.",
      tag,
      role: "admin",
      params: z.object({ name: z.string().max(320) }),
      answer: z.object({ removed: z.number() }),
      touches: "people",
      handle: ({ params: { name } }) => {
        const removed = store.removePasskeys(name);
        if (removed === 0) throw new Refusal("bad_state", `"${name}" has no passkeys (any more).`);
        sessions.endAll(({ login }) => login.name === name && login.by === "passkey");
        return new Reply({ removed }, {}, name);
      },
    }),
  ];
}

/** Those whom the config names first, in its order; then whom else the gateway remembers. */
function everybody({
  config,
  store,
  sessions,
  clock,
}: PeopleNeeds): readonly z.output<typeof personAnswer>[] {
  const { control, approvals } = config;
  const logins = store.lastLogins();
  const open = sessions.list(clock.nowUnixMs()).map(({ login }) => login.name);
  const passkeys = store.passkeys().map(({ person }) => person);
  const named = [...new Set([...Object.keys(control.people), ...Object.keys(approvals.people)])];
  const names = [...new Set([operatorName, ...named.map(personNamed), ...passkeys, ...logins.keys()])];
  return names.map((name) => {
    const login = loginNamed(name, "link", control);
    const person = name.slice(personNamed("").length);
    const hasToken = name === personNamed(person) && Object.hasOwn(approvals.people, person);
    const isAtProvider = control.people[person]?.oidc !== undefined && name === personNamed(person);
    return {
      name,
      roles: [...(login?.roles ?? (hasToken ? (["approver"] as const) : []))],
      isNamed: login !== undefined || hasToken,
      ways: {
        link: login !== undefined,
        oidc: isAtProvider,
        token: hasToken,
        passkeys: passkeys.filter((each) => each === name).length,
      },
      lastLogin: logins.get(name) ?? null,
      sessions: open.filter((each) => each === name).length,
    };
  });
}
