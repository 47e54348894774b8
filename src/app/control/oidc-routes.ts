/** Logging in at the organisation's provider: those whom the config names, and members of groups that it gives roles. */
import { z } from "zod";

import type { Login, Role } from "../../control/login.ts";
import { type Route, route } from "../../control/route.ts";
import type { OidcIdentity, OidcLogin, ToldGroups } from "../../host/oauth/oidc-login.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { rowOf } from "../../kernel/row-of.ts";
import type { ControlSettings } from "../config/control.ts";
import { type Entrance, sessionAnswer } from "./entrance.ts";
import { loginNamed, personNamed } from "./known-people.ts";

export interface OidcNeeds extends Known {
  readonly login: OidcLogin;
  readonly entrance: Entrance;
  /** Address of the page, as somebody has opened it. @throws Refusal `bad_state` if there is none */
  readonly page: (host: string) => string;
}

interface Known {
  readonly settings: ControlSettings;
  /** Names of people that the config uses elsewhere. */
  readonly isTaken: (name: string) => boolean;
}

const tag = "session";

/** The browser comes back to the page, which hands in what it was given: a GET changes nothing. */
export function oidcRoutes({ login, entrance, page, ...known }: OidcNeeds): readonly Route[] {
  return [
    route({
      method: "POST",
      path: "/session/oidc/start",
      summary: "Begins a login at the organisation's provider: where to go, and what to keep until then.",
      tag,
      role: "public",
      answer: z.object({ url: z.string(), flow: z.string() }),
      handle: async ({ from, host }) => {
        entrance.take(from);
        return await login.begin(`${page(host)}/login`);
      },
    }),
    route({
      method: "POST",
      path: "/session/oidc",
      summary: "Ends a login at the organisation's provider, with the query that came back from there.",
      tag,
      role: "public",
      body: z.strictObject({ flow: z.string().max(128), query: z.string().max(8192) }),
      answer: sessionAnswer,
      handle: ({ body: { flow, query }, from }) =>
        entrance.enter(
          "oidc",
          async () => loginOfOidc(await login.finish(flow, new URLSearchParams(query)), known),
          from,
        ),
    }),
  ];
}

/** @throws Refusal `denied` for whom the config neither names nor has a group of */
function loginOfOidc(identity: OidcIdentity, known: Known): Login {
  const { people, oidc } = known.settings;
  const { sub, email } = identity;
  const named = Object.entries(people).find(
    ([, { oidc: at }]) =>
      at !== undefined && (at.sub === undefined ? email !== undefined && at.email === email : at.sub === sub),
  );
  const login = named && loginNamed(personNamed(named[0]), "oidc", known.settings);
  if (login !== undefined) return login;
  if (oidc?.groups === undefined)
    throw new Refusal("denied", "The provider knows you; `control.people` in the config doesn't.");
  const has = rolesOfGroups(identity.groups, oidc.groups);
  return { name: nameOfMember(identity, known), roles: has, by: "oidc" };
}

const unusable: Readonly<Record<Exclude<ToldGroups["kind"], "told">, string>> = {
  missing: "says nothing of groups",
  unusable: "doesn't list groups as names, or more than are read",
};

/** @throws Refusal `denied` without a group that has a role here */
function rolesOfGroups(
  groups: ToldGroups,
  { claim, roles }: { readonly claim: string; readonly roles: Readonly<Record<string, readonly Role[]>> },
): ReadonlySet<Role> {
  if (groups.kind !== "told") {
    const why = `The provider's claim "${claim}" ${unusable[groups.kind]}, and the config doesn't name you.`;
    throw new Refusal("denied", why, { facts: { why: `groups ${groups.kind}` } });
  }
  const has = new Set(groups.names.flatMap((name) => rowOf(roles, name) ?? []));
  if (has.size > 0) return has;
  throw new Refusal("denied", "The provider knows you; none of your groups has a role here.");
}

/** What neither a terminal nor the log stumbles over. */
const printableName = /^[\x21-\x7e]{1,254}$/;

/** INVARIANT: never the name of somebody whom the config names: what that one may, and did, isn't the member's. */
function nameOfMember({ sub, email }: OidcIdentity, { settings: { people }, isTaken }: Known): string {
  const own = email ?? sub;
  if (Object.hasOwn(people, own) || isTaken(own))
    throw new Refusal("denied", `The provider calls you "${own}", and here that is somebody else's name.`);
  if (!printableName.test(own))
    throw new Refusal("denied", "The provider's name for you has characters that can't be kept.");
  return personNamed(own);
}
