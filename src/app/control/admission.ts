/** Who asks the control room: a session's cookie, a person's token, or whoever may open the socket in the state folder. */
import type http from "node:http";

import type { Admission } from "../../control/control-server.ts";
import { attempts } from "../../kernel/attempts.ts";
import type { From, Login } from "../../control/login.ts";
import type { Sessions } from "../../control/sessions.ts";
import { checkLoopbackRequest, isSameSecret } from "../../host/net/loopback.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type People, personOf } from "../approvals/approvers.ts";

const csrfHeader = "x-latticegate-csrf";
const cookiePattern = /(?:^|;\s*)latticegate-session=([\w-]{43})(?:;|$)/;

/** Browsers, and programs with tokens: more than people do by hand, less than a flood. */
const requestPace = { burst: 600, perMinute: 1800 };

export interface AdmissionNeeds {
  readonly sessions: Sessions;
  readonly people: People;
  readonly clock: Clock;
}

/** Over HTTP on loopback. */
export function sessionAdmission({ sessions, people, clock }: AdmissionNeeds): Admission {
  const take = attempts(requestPace);
  return (request, isChange) => {
    checkLoopbackRequest(request);
    checkSite(request, isChange);
    const from = fromOf(request);
    const nowUnixMs = clock.nowUnixMs();
    const session = cookiePattern.exec(request.headers.cookie ?? "")?.[1];
    const found = sessions.of(session, from, nowUnixMs);
    const login = found?.login ?? tokenLogin(request, people);
    take(found === undefined ? `from ${from.address}` : `session ${found.id}`, nowUnixMs);
    if (isChange && found !== undefined) checkCsrf(request, found.csrf);
    return { login, from, session };
  };
}

const local: Login = { name: "operator:local", roles: new Set(["admin"]), by: "socket" };

/** Over the socket: the system has asked already who may open it. */
export function socketAdmission(): Admission {
  return (request) => ({ login: local, from: fromOf(request) });
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
