/** Logging in and out of the control room. */
import { z } from "zod";

import { type Login, roles } from "../../control/login.ts";
import { Reply, type Route, route } from "../../control/route.ts";
import type { OneTimeCodes, Sessions } from "../../control/sessions.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { OidcLogin } from "../../host/oauth/oidc-login.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { rowOf } from "../../kernel/row-of.ts";
import { type People, personOf } from "../approvals/approvers.ts";
import type { ControlSettings } from "../config/control.ts";
import { personWithToken } from "./admission.ts";
import { cookieOfNobody, type Entrance, saidOf, sessionAnswer } from "./entrance.ts";
import { loginNamed, operatorName, personNamed } from "./known-people.ts";
import { oidcRoutes } from "./oidc-routes.ts";
import { openSessionRoutes } from "./open-session-routes.ts";

export interface SessionNeeds {
  readonly sessions: Sessions;
  readonly codes: OneTimeCodes;
  readonly settings: ControlSettings;
  /** With tokens. */
  readonly people: People;
  readonly clock: Clock;
  /** Under which the page is served, the first if it isn't asked for by any; none where there is no page. */
  readonly origins: () => readonly string[];
  /** Undefined: the config names no provider. */
  readonly oidc: { readonly name: string; readonly login: OidcLogin } | undefined;
  readonly entrance: Entrance;
  /** Whether somebody has a passkey for the page of that name and port. */
  readonly hasPasskeys: (host: string) => boolean;
}

const tag = "session";
const everybody = roles;

export function sessionRoutes(needs: SessionNeeds): readonly Route[] {
  return [...waysIn(needs), ...own(needs), ...openSessionRoutes(needs), linkRoute(needs)];
}

function waysIn(needs: SessionNeeds): readonly Route[] {
  const { codes, settings, people, clock, origins, oidc, entrance, hasPasskeys } = needs;
  const { enter } = entrance;
  const isTaken = (name: string): boolean => rowOf(people, name) !== undefined;
  const page = (host: string): string => pageOf(host, origins());
  return [
    ...(oidc === undefined ? [] : oidcRoutes({ login: oidc.login, entrance, page, settings, isTaken })),
    route({
      method: "GET",
      path: "/login-methods",
      summary: "The ways in.",
      tag,
      role: "public",
      answer: z.object({
        link: z.boolean(),
        token: z.boolean(),
        oidc: z.object({ name: z.string() }).nullable(),
        passkeys: z.boolean(),
      }),
      handle: ({ host }) => ({
        link: true,
        passkeys: hasPasskeys(host),
        oidc: oidc === undefined ? null : { name: oidc.name },
        token: Object.values(people).some(({ token_hash: hash }) => hash !== undefined),
      }),
    }),
    route({
      method: "POST",
      path: "/session/link",
      summary: "Logs in by a link that `latticegate login` printed; it works once.",
      tag,
      role: "public",
      body: z.strictObject({ code: z.string().max(128) }),
      answer: sessionAnswer,
      handle: ({ body: { code }, from }) =>
        enter("link", () => personOfLink(codes.take(code, clock.nowUnixMs()), settings), from),
    }),
    route({
      method: "POST",
      path: "/session/token",
      summary: "Logs in by a person's own token, for what that one may decide.",
      tag,
      role: "public",
      body: z.strictObject({ token: z.string().max(512) }),
      answer: sessionAnswer,
      handle: ({ body: { token }, from }) =>
        enter("token", () => personWithToken(personOf(token, people)), from),
    }),
  ];
}

/** @param name of whom the code was issued for; null: the local operator; undefined: it is no code */
function personOfLink(name: string | null | undefined, settings: ControlSettings): Login | undefined {
  if (name === undefined) return undefined;
  return loginNamed(name === null ? operatorName : personNamed(name), "link", settings);
}

function own({ sessions, clock }: SessionNeeds): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/session",
      summary: "Who is logged in here, as what, and until when.",
      tag,
      role: everybody,
      answer: sessionAnswer,
      handle: ({ login, session, from }) => saidOf(login, sessions.of(session, from, clock.nowUnixMs())),
    }),
    route({
      method: "DELETE",
      path: "/session",
      summary: "Logs out.",
      tag,
      role: everybody,
      answer: z.object({ ended: z.boolean() }),
      handle: ({ session, from }) => {
        const found = sessions.of(session, from, clock.nowUnixMs());
        const ended = found !== undefined && sessions.end(found.id);
        return new Reply({ ended }, { "set-cookie": cookieOfNobody(from) });
      },
    }),
  ];
}

function linkRoute({ codes, settings, clock, origins }: SessionNeeds): Route {
  return route({
    method: "POST",
    path: "/session/codes",
    summary: "Makes a link that logs one browser in, once, within ten minutes.",
    tag,
    role: "admin",
    body: z.strictObject({ person: z.string().max(64).exactOptional() }),
    answer: z.object({ link: z.string(), expiresAtUnixMs: z.number() }),
    handle: ({ body: { person }, host }) => {
      const page = pageOf(host, origins());
      if (person !== undefined && !Object.hasOwn(settings.people, person))
        throw new Refusal("bad_state", `There is no "${person}" among \`control.people\` in the config.`);
      const { code, expiresAtUnixMs } = codes.issue(person ?? null, clock.nowUnixMs());
      return { link: loginLink(page, code), expiresAtUnixMs };
    },
  });
}

/** @returns the address by which somebody has opened it. @throws Refusal `bad_state` */
function pageOf(host: string, origins: readonly string[]): string {
  const page = origins.find((origin) => new URL(origin).host === host) ?? origins[0];
  if (page !== undefined) return page;
  throw new Refusal("bad_state", "This gateway serves no page; set `dashboard` in its config.");
}

/** @param origin of the page */
export function loginLink(origin: string, code: string): string {
  // After the #, which is never sent: it stands in no server's log.
  return `${origin}/login#code=${code}`;
}
