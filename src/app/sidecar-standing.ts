/**
 * What a sidecar says with each request beside its identity: the session of the client that started it, and the
 * delegation with which it acts for others. A session that has ended is replaced and the request made again, since the
 * gateway says so only of what it hasn't touched.
 */
import { readFile, stat } from "node:fs/promises";
import path from "node:path";

import { sessionPath } from "../gate/identity-requests.ts";
import { clientProcess, ownProcess } from "../host/client-process.ts";
import { collected } from "../host/net/http-exchange.ts";
import type { HttpAnswer, HttpRequest } from "../host/net/http-exchange.ts";
import { valueOf } from "../host/net/headers.ts";
import type { Send } from "../host/net/patient-send.ts";
import { type HeldToken, type SessionFiles, sessionFiles } from "../host/store/session-files.ts";
import { maxCredentialChars } from "../identity/delegation.ts";
import { fromBase64url, fromUtf8, utf8 } from "../kernel/bytes.ts";
import type { Log } from "../kernel/log.ts";
import { Refusal } from "../kernel/refusal.ts";
import { delegationHeader, sessionHeader, sessionPartHeader } from "../wire/identity-headers.ts";
import { statePaths } from "./state-folder.ts";

export interface StandingOptions {
  readonly state: string;
  /** Names a part of the client's session, e.g. one conversation. */
  readonly sessionPart?: string;
  /** The file of the delegation with which to act; read again when it changes. */
  readonly onBehalfOf?: string;
  /** Whether one client started this sidecar, or many use it, who then share a session of its own. */
  readonly clients: "one" | "many";
  readonly log: Log;
}

/** How often a session may be found ended within one request: others may replace it at the same time. */
const maxSessions = 3;

/** @param about what else the session depends on: gateway and caller */
export function standing(send: Send, about: readonly string[], options: StandingOptions): Send {
  const { sessionPart, log } = options;
  const credential = options.onBehalfOf === undefined ? undefined : credentialFile(options.onBehalfOf);
  const sessions = new Map<string, Promise<Session>>();
  const sessionFor = (delegation: string | undefined): Promise<Session> => {
    const whom = delegation === undefined ? "" : chainOf(delegation);
    const known = sessions.get(whom) ?? openSession(send, [...about, whom], options);
    if (!sessions.has(whom)) sessions.clear(); // It acts for one at a time.
    sessions.set(whom, known);
    return known;
  };
  return async (request) => {
    const delegation = await credential?.();
    const session = await sessionFor(delegation);
    const acting = delegation === undefined ? [] : [delegationHeader, delegation];
    const part = sessionPart === undefined ? [] : [sessionPartHeader, sessionPart];
    for (let tries = 1; ; tries++) {
      const token = await session.token(acting);
      const named = token === undefined ? [] : [sessionHeader, token];
      const headers = [...request.headers, ...acting, ...named, ...part];
      const answer = await send({ ...request, headers });
      if (token === undefined || tries === maxSessions || !saysEnded(answer)) return answer;
      if (answer.kind !== "whole") return answer;
      log.debug("session.ended");
      session.ended(token);
    }
  };
}

function saysEnded({ status, headers }: HttpAnswer): boolean {
  return status === 403 && valueOf(headers, sessionHeader) === "ended";
}

interface Session {
  /** Undefined where none can be had: the request then goes without one, and is answered for itself. */
  readonly token: (acting: readonly string[]) => Promise<string | undefined>;
  readonly ended: (token: string) => void;
}

async function openSession(send: Send, about: readonly string[], options: StandingOptions): Promise<Session> {
  const files = await filesOf(about, options);
  let ended: string | undefined;
  let held: Promise<HeldToken | undefined> | undefined;
  const take = async (acting: readonly string[]): Promise<HeldToken | undefined> => {
    const found = await files.newest();
    if (found !== undefined && found.token !== ended) return found;
    const token = await minted(send, acting, options.log);
    return token === undefined ? undefined : await files.put(token, found?.number ?? 0);
  };
  return {
    token: async (acting) => {
      const taking = (held ??= take(acting));
      const again = (): void => {
        if (held === taking) held = undefined; // The next request tries again.
      };
      const taken = await taking.catch((error: unknown) => {
        again();
        throw error;
      });
      if (taken === undefined) again();
      return taken?.token;
    },
    ended: (token) => {
      if (ended === token) return;
      ended = token;
      held = undefined;
    },
  };
}

/** Where files can't be had, the session is kept by this sidecar alone. */
async function filesOf(about: readonly string[], options: StandingOptions): Promise<SessionFiles> {
  try {
    const client = options.clients === "many" ? ownProcess() : clientProcess();
    if (client !== undefined) return await sessionFiles(statePaths(options.state).sessions, client, about);
  } catch (error) {
    options.log.warn("session.unshared", { reason: error instanceof Error ? error.message : "unknown" });
  }
  let mine: HeldToken | undefined;
  return {
    newest: () => Promise.resolve(mine),
    put: (token, after) => Promise.resolve((mine = { token, number: after + 1 })),
  };
}

async function minted(send: Send, acting: readonly string[], log: Log): Promise<string | undefined> {
  const headers = ["content-type", "application/json", ...acting];
  const request: HttpRequest = { method: "POST", path: sessionPath, headers, body: utf8("{}") };
  const answer = await collected(await send(request));
  const token = answer.kind === "whole" && answer.status === 200 ? tokenIn(answer.body) : undefined;
  if (token === undefined) log.warn("session.refused", { status: answer.status });
  return token;
}

function tokenIn(body: Uint8Array): string | undefined {
  try {
    const { session } = JSON.parse(fromUtf8(body) ?? "") as { readonly session?: unknown };
    return typeof session === "string" && /^[\x21-\x7e]{1,256}$/.test(session) ? session : undefined;
  } catch {
    return undefined;
  }
}

/** Reads a delegation, again whenever its file has changed. */
function credentialFile(file: string): () => Promise<string> {
  let seen = "";
  let text = "";
  return async () => {
    try {
      const { mtimeMs, size, ino } = await stat(file);
      const now = `${mtimeMs} ${size} ${ino}`;
      if (now === seen) return text;
      text = readable(await readFile(file, "utf8"), file);
      seen = now;
      return text;
    } catch (cause) {
      if (cause instanceof Refusal) throw cause;
      throw new Refusal("bad_config", `${path.resolve(file)} can't be read; it should hold a delegation.`, {
        cause,
      });
    }
  };
}

function readable(content: string, file: string): string {
  const text = content.trim();
  if (text.length <= maxCredentialChars && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)) return text;
  throw new Refusal(
    "bad_config",
    `${path.resolve(file)} holds no delegation; make one with "latticegate delegate".`,
  );
}

/** For whom it says it is: enough to tell sessions apart, since the gateway alone judges whether that is so. */
function chainOf(delegation: string): string {
  const payload = fromUtf8(fromBase64url(delegation.split(".")[1] ?? "") ?? new Uint8Array(0));
  try {
    const { sub, act } = JSON.parse(payload ?? "") as { readonly sub?: unknown; readonly act?: unknown };
    return JSON.stringify([sub, act]);
  } catch {
    return "";
  }
}
