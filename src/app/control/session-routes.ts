/** Logging in and out of the control room. */
import { z } from "zod";

import { attempts } from "../../kernel/attempts.ts";
import { type From, type Login, roles } from "../../control/login.ts";
import { Reply, type Route, route } from "../../control/route.ts";
import type { OneTimeCodes, Sessions } from "../../control/sessions.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { OidcIdentity, OidcLogin } from "../../host/oauth/oidc-login.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type People, personOf } from "../approvals/approvers.ts";
import type { ControlSettings } from "../config/control.ts";
import { personWithToken } from "./admission.ts";

export interface SessionNeeds {
  readonly sessions: Sessions;
  readonly codes: OneTimeCodes;
  readonly settings: ControlSettings;
  /** With tokens. */
  readonly people: People;
  readonly clock: Clock;
  /** Of the page; undefined: there is none. */
  readonly origin: () => string | undefined;
  /** Undefined: the config names no provider. */
  readonly oidc: { readonly name: string; readonly login: OidcLogin } | undefined;
  /** Somebody came in, or tried to. */
  readonly loggedIn: (login: Login | undefined, way: string) => void;
}

const tag = "session";
const everybody = roles;
/** A code can't be guessed; what is tried is kept from costing anything. */
const loginPace = [
  { burst: 10, perMinute: 10 },
  { burst: 60, perMinute: 60 },
] as const;

const sessionAnswer = z.object({
  name: z.string(),
  roles: z.array(z.enum(roles)),
  /** For the header of changes; null without a cookie. */
  csrf: z.string().nullable(),
  /** Null: it doesn't end by itself. */
  expiresAtUnixMs: z.number().nullable(),
});

export function sessionRoutes(needs: SessionNeeds): readonly Route[] {
  return [...waysIn(needs), ...own(needs), ...all(needs), linkRoute(needs)];
}

type Session = z.output<typeof sessionAnswer>;
/** @param of who that is; undefined: nobody */
type Enter = (
  way: string,
  of: () => Login | undefined | Promise<Login | undefined>,
  from: From,
) => Promise<Reply<Session>>;

function entrance({ sessions, clock, loggedIn }: SessionNeeds, take: (from: From) => void): Enter {
  return async (way, of, from) => {
    take(from);
    let login: Login | undefined;
    try {
      login = await of();
    } finally {
      loggedIn(login, way);
    }
    if (login === undefined)
      throw new Refusal(
        "no_identity",
        `That ${way} isn't good (any more); "latticegate login" prints a link.`,
      );
    const nowUnixMs = clock.nowUnixMs();
    const secret = sessions.begin(login, from, nowUnixMs);
    return new Reply(said(login, sessions.of(secret, from, nowUnixMs)), { "set-cookie": cookie(secret) });
  };
}

function waysIn(needs: SessionNeeds): readonly Route[] {
  const { codes, settings, people, clock, oidc } = needs;
  const tries = attempts(...loginPace);
  const take = ({ address }: From): void => tries(address, clock.nowUnixMs());
  const enter = entrance(needs, take);
  return [
    ...(oidc === undefined ? [] : oidcRoutes(needs, oidc.login, { take, enter })),
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
      }),
      handle: () => ({
        link: true,
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

/** The browser comes back to the page, which hands in what it was given: a GET changes nothing. */
function oidcRoutes(
  { settings, origin }: SessionNeeds,
  login: OidcLogin,
  { take, enter }: { readonly take: (from: From) => void; readonly enter: Enter },
): readonly Route[] {
  return [
    route({
      method: "POST",
      path: "/session/oidc/start",
      summary: "Begins a login at the organisation's provider: where to go, and what to keep until then.",
      tag,
      role: "public",
      answer: z.object({ url: z.string(), flow: z.string() }),
      handle: async ({ from }) => {
        take(from);
        return await login.begin(`${pageOf(origin)}/login`);
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
        enter(
          "oidc",
          async () => personOfOidc(await login.finish(flow, new URLSearchParams(query)), settings),
          from,
        ),
    }),
  ];
}

/** @throws Refusal `denied` for whom the config doesn't name */
function personOfOidc({ sub, email }: OidcIdentity, { people }: ControlSettings): Login {
  const found = Object.entries(people).find(
    ([, { oidc }]) =>
      oidc !== undefined &&
      (oidc.sub === undefined ? email !== undefined && oidc.email === email : oidc.sub === sub),
  );
  if (found === undefined)
    throw new Refusal("denied", "The provider knows you; `control.people` in the config doesn't.");
  const [name, { roles: has }] = found;
  return { name: `person:${name}`, roles: new Set(has), by: "oidc" };
}

/** @param name of whom the code was issued for; null: the local operator; undefined: it is no code */
function personOfLink(name: string | null | undefined, { people }: ControlSettings): Login | undefined {
  if (name === undefined) return undefined;
  if (name === null) return { name: "operator:local", roles: new Set(["admin"]), by: "link" };
  const person = Object.hasOwn(people, name) ? people[name] : undefined;
  return person && { name: `person:${name}`, roles: new Set(person.roles), by: "link" };
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
      handle: ({ login, session, from }) => said(login, sessions.of(session, from, clock.nowUnixMs())),
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
        return new Reply(
          { ended },
          { "set-cookie": `${cookieName}=; Max-Age=0; Path=/; HttpOnly; SameSite=Strict` },
        );
      },
    }),
  ];
}

function all({ sessions, clock }: SessionNeeds): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/sessions",
      summary: "All sessions, newest first.",
      tag,
      role: "admin",
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
          }),
        ),
      }),
      handle: () => ({
        sessions: sessions
          .list(clock.nowUnixMs())
          .map(({ id, login: { name, by }, from, beganUnixMs, expiresAtUnixMs }) => ({
            id,
            name,
            by,
            ...from,
            beganUnixMs,
            expiresAtUnixMs,
          })),
      }),
    }),
    route({
      method: "DELETE",
      path: "/sessions/{id}",
      summary: "Ends a session.",
      tag,
      role: "admin",
      params: z.object({ id: z.string().max(64) }),
      answer: z.object({ ended: z.string() }),
      touches: "people",
      handle: ({ params: { id } }) => {
        if (sessions.end(id)) return { ended: id };
        throw new Refusal("bad_state", `There is no session "${id}" (any more).`);
      },
    }),
  ];
}

function linkRoute({ codes, settings, clock, origin }: SessionNeeds): Route {
  return route({
    method: "POST",
    path: "/session/codes",
    summary: "Makes a link that logs one browser in, once, within ten minutes.",
    tag,
    role: "admin",
    body: z.strictObject({ person: z.string().max(64).exactOptional() }),
    answer: z.object({ link: z.string(), expiresAtUnixMs: z.number() }),
    handle: ({ body: { person } }) => {
      const page = pageOf(origin);
      if (person !== undefined && !Object.hasOwn(settings.people, person))
        throw new Refusal("bad_state", `There is no "${person}" among \`control.people\` in the config.`);
      const { code, expiresAtUnixMs } = codes.issue(person ?? null, clock.nowUnixMs());
      return { link: loginLink(page, code), expiresAtUnixMs };
    },
  });
}

/** @throws Refusal `bad_state` */
function pageOf(origin: SessionNeeds["origin"]): string {
  const page = origin();
  if (page !== undefined) return page;
  throw new Refusal("bad_state", "This gateway serves no page; set `dashboard` in its config.");
}

/** @param origin of the page */
export function loginLink(origin: string, code: string): string {
  // After the #, which is never sent: it stands in no server's log.
  return `${origin}/login#code=${code}`;
}

const cookieName = "latticegate-session";

function cookie(secret: string): string {
  return `${cookieName}=${secret}; Path=/; HttpOnly; SameSite=Strict`;
}

function said(
  { name, roles: has }: Login,
  session: { readonly csrf: string; readonly expiresAtUnixMs: number } | undefined,
): z.output<typeof sessionAnswer> {
  return {
    name,
    roles: [...has],
    csrf: session?.csrf ?? null,
    expiresAtUnixMs: session?.expiresAtUnixMs ?? null,
  };
}
