/** The gateway's API as signals: asked every two seconds, more seldom while it is away. */
import { signal } from "@preact/signals";

import { type Answered, type Link, nextDelayMs, nextLink } from "./model/polling.ts";
import { type Call, readCalls, readStatus, type Status } from "./model/status.ts";

export const link = signal<Link>({ kind: "connecting" });
export const status = signal<Status | undefined>(undefined);
export const calls = signal<readonly Call[]>([]);

const tokenKey = "latticegate-token";

/** Takes the token out of the address, where it would stay in the history, and keeps it for this tab. */
export function takeToken(): void {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (token === null) return;
  sessionStorage.setItem(tokenKey, token);
  history.replaceState(null, "", location.pathname);
}

export async function keepAsking(): Promise<void> {
  for (;;) {
    link.value = nextLink(link.value, await askOnce());
    const delayMs = nextDelayMs(link.value);
    if (delayMs === undefined) return;
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
}

async function askOnce(): Promise<Answered> {
  try {
    const [statusAnswer, callsAnswer] = await Promise.all([ask("status"), ask("calls?limit=50")]);
    if (statusAnswer.status === 401) return "unauthorized";
    const read = statusAnswer.ok ? readStatus(await statusAnswer.json()) : undefined;
    if (read === undefined || !callsAnswer.ok) return "failed";
    status.value = read;
    calls.value = readCalls(await callsAnswer.json());
    return "ok";
  } catch {
    return "failed";
  }
}

function ask(route: string): Promise<Response> {
  const token = sessionStorage.getItem(tokenKey) ?? "";
  return fetch(`/api/${route}`, { headers: { authorization: `Bearer ${token}` }, cache: "no-store" });
}
