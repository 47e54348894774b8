/** The gateway's API: what it says read with care, what is changed sent with the session's CSRF value. */
import { signal } from "@preact/signals";

import {
  isAllowed,
  type Problem,
  readProblem,
  readSession,
  type Role,
  type Session,
} from "./model/api-answers.ts";

/** Who is logged in; undefined until the gateway has said so. */
export const session = signal<Session | undefined>(undefined);

/** The gateway said no, or nothing. */
export class Failed extends Error {
  /** 0 if the gateway couldn't be reached. */
  readonly status: number;
  readonly code: string;
  constructor({ status, code, words }: Problem, options?: ErrorOptions) {
    super(words, options);
    this.status = status;
    this.code = code;
  }
}

/** What a screen hides from those who may not do it; the gateway decides. */
export function may(role: Role): boolean {
  return isAllowed(session.value, role);
}

/**
 * @param path below /api/v1, with its query: "/incidents?limit=50"
 * @throws Failed
 */
export async function get<T>(path: string, read: (answer: unknown) => T, signal?: AbortSignal): Promise<T> {
  // The browser's cache asks with its ETag each time.
  const init: RequestInit = { cache: "no-cache", headers: { accept: "application/json" } };
  return read(await ask(path, { ...init, ...(signal && { signal }) }));
}

/** @throws Failed */
export async function change<T = unknown>(
  method: "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
  read: (answer: unknown) => T = (answer) => answer as T,
): Promise<T> {
  const headers: Record<string, string> = { accept: "application/json" };
  if (session.value !== undefined) headers["x-latticegate-csrf"] = session.value.csrf;
  if (body !== undefined) headers["content-type"] = "application/json";
  return read(
    await ask(path, { method, headers, ...(body !== undefined && { body: JSON.stringify(body) }) }),
  );
}

/** @throws Failed with 401 if nobody is logged in */
export async function loadSession(): Promise<void> {
  session.value = await get("/session", readSession);
}

/** Part of a path: names come from outside. */
export function segment(name: string): string {
  return encodeURIComponent(name);
}

/** For <a href download>. */
export function apiHref(path: string): string {
  return `/api/v1${path}`;
}

async function ask(path: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(apiHref(path), { ...init, credentials: "same-origin" }).catch(
    (cause: unknown) => {
      if (cause instanceof DOMException && cause.name === "AbortError") throw cause;
      throw new Failed({ status: 0, code: "unreachable", words: "The gateway can't be reached." }, { cause });
    },
  );
  const answer: unknown = await answered(response);
  if (response.ok) return answer;
  if (response.status === 401) session.value = undefined;
  throw new Failed(readProblem(response.status, answer));
}

async function answered(response: Response): Promise<unknown> {
  if (response.status === 204) return undefined;
  const isJson = /^application\/([\w.-]+\+)?json\b/.test(response.headers.get("content-type") ?? "");
  if (!isJson) return response.ok ? await response.text() : undefined;
  return (await response.json().catch(() => undefined)) as unknown;
}
