/** Who asks the control room: a session's cookie, a person's token, or whoever may open the socket in the state folder. */
import type http from "node:http";

import type { Admission } from "../../control/control-server.ts";
import { attempts } from "../../kernel/attempts.ts";
import type { From, Login } from "../../control/login.ts";
import type { Sessions } from "../../control/sessions.ts";
import { checkLoopbackRequest, isSameSecret } from "../../host/net/loopback.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { cookieName } from "./entrance.ts";
import { type People, personOf } from "../approvals/approvers.ts";

const csrfHeader = "x-latticegate-csrf";

/** The secret of the session a browser shows. */
function sessionOf({ headers }: http.IncomingMessage, isRemote: boolean): string | undefined {
  const name = cookieName(isRemote);
  const shown = (headers.cookie ?? "").split(";").map((each) => each.trim());
  const secret = shown.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
  return secret !== undefined && /^[\w-]{43}$/.test(secret) ? secret : undefined;
}

/** Browsers, and programs with tokens: more than people do by hand, less than a flood. */
const requestPace = { burst: 600, perMinute: 1800 };

export interface AdmissionNeeds {
  readonly sessions: Sessions;
  readonly people: People;
  readonly clock: Clock;
}

/** Over HTTP on loopback. */
export function sessionAdmission(needs: AdmissionNeeds): Admission {
  const bySession = admissionBySession(needs, false);
  return (request, isChange) => {
    checkLoopbackRequest(request);
    return bySession(request, isChange);
  };
}

function admissionBySession({ sessions, people, clock }: AdmissionNeeds, isRemote: boolean): Admission {
  const take = attempts(requestPace);
  return (request, isChange) => {
    checkSite(request, isChange);
    const from = { ...fromOf(request), isRemote };
    const nowUnixMs = clock.nowUnixMs();
    const session = sessionOf(request, isRemote);
    const found = sessions.of(session, from, nowUnixMs);
    const login = found?.login ?? tokenLogin(request, people);
    take(found === undefined ? `from ${from.address}` : `session ${found.id}`, nowUnixMs);
    if (isChange && found !== undefined) checkCsrf(request, found.csrf);
    return { login, from, session };
  };
}

export interface RemoteNeeds extends AdmissionNeeds {
  /** Under which other machines know the control room. */
  readonly origin: string;
  /** Who a link proves, if it proves anybody: of a command. @throws Refusal `no_identity`, `denied` */
  readonly person: (request: http.IncomingMessage) => Login | undefined;
  /** Told of each request of somebody who is known. */
  readonly known: (request: http.IncomingMessage) => void;
}

/** Over TLS, from other machines: browsers by sessions, commands by the identities of people. */
export function remoteAdmission(needs: RemoteNeeds): Admission {
  const take = attempts(requestPace);
  const bySession = admissionBySession(needs, true);
  return (request, isChange) => {
    checkNamed(request, needs.origin);
    const login = needs.person(request);
    const admitted =
      login === undefined
        ? bySession(request, isChange)
        : { login, from: { ...fromOf(request), isRemote: true } };
    if (login !== undefined) take(login.name, needs.clock.nowUnixMs());
    if (admitted.login !== undefined) needs.known(request);
    return admitted;
  };
}

/**
 * DNS rebinding, and pages of other sites: neither has this host's name and origin.
 * @throws Refusal `bad_origin`
 */
function checkNamed({ headers }: http.IncomingMessage, own: string): void {
  const { host } = new URL(own);
  if (headers.host?.toLowerCase() !== host)
    throw new Refusal("bad_origin", `This is the control room at ${own}; the Host header names another.`);
  if (headers.origin !== undefined && headers.origin !== own)
    throw new Refusal("bad_origin", `This is the control room at ${own}; another site's page asks.`);
}

/** By which commands say whose they are: who may open the socket may write the state, and could say anything there. */
export const operatorHeader = "latticegate-operator";

/** Over the socket: the system has asked already who may open it. */
export function socketAdmission(): Admission {
  return (request) => ({ login: localLogin(request), from: fromOf(request) });
}

function localLogin({ headers }: http.IncomingMessage): Login {
  const said = headers[operatorHeader];
  const name = typeof said === "string" && /^[\w.@+-]{1,64}$/.test(said) ? said : "local";
  return { name: `operator:${name}`, roles: new Set(["admin"]), by: "socket" };
}

/**
 * Pages of other sites make browsers send what they like here, and with SameSite cookies still read nothing; what they
 * send isn't heeded either.
 */
function checkSite({ headers }: http.IncomingMessage, isChange: boolean): void {
  const site = headers["sec-fetch-site"];
  if (isChange && site !== undefined && site !== "same-origin" && site !== "none")
    throw new Refusal("bad_origin", "Changes are taken from the control room's own page only.");
}

/** @throws Refusal `bad_origin` */
function checkCsrf({ headers }: http.IncomingMessage, csrf: string): void {
  const given = headers[csrfHeader];
  if (!isSameSecret(typeof given === "string" ? given : undefined, csrf))
    throw new Refusal("bad_origin", `Changes need the header ${csrfHeader} of the session.`);
}

function tokenLogin(request: http.IncomingMessage, people: People): Login | undefined {
  const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
  return personWithToken(given === undefined ? undefined : personOf(given, people));
}

export function personWithToken(name: string | undefined): Login | undefined {
  return name === undefined ? undefined : { name, roles: new Set(["approver"]), by: "token" };
}

function fromOf({ socket, headers }: http.IncomingMessage): From {
  return { address: socket.remoteAddress ?? "local", agent: (headers["user-agent"] ?? "").slice(0, 512) };
}
