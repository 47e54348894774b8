/** The gateway's API as signals: asked every two seconds, more seldom while it is away. */
import { signal } from "@preact/signals";

import { type Approval, readApproval, readApprovals } from "./model/approvals.ts";
import { fields, text } from "./model/fields.ts";
import { type Incident, readIncidents } from "./model/incidents.ts";
import { type Answered, type Link, nextDelayMs, nextLink } from "./model/polling.ts";
import { readResponses, type Response as InForce } from "./model/responses.ts";
import { type Call, readCalls, readStatus, type Status } from "./model/status.ts";

export const link = signal<Link>({ kind: "connecting" });
/** Of the gateway; a person with a token of its own isn't shown it. */
export const status = signal<Status | undefined>(undefined);
export const calls = signal<readonly Call[]>([]);
export const incidents = signal<readonly Incident[]>([]);
/** What is in force against callers and tools; the operator's alone. */
export const responses = signal<readonly InForce[]>([]);
export const approvals = signal<readonly Approval[]>([]);
/** The request that is looked at. */
export const opened = signal<Approval | undefined>(undefined);
/** Why it can't be shown, or wasn't decided. */
export const failure = signal("");

const tokenKey = "latticegate-token";

/** Takes the token out of the address, where it would stay in the history, and keeps it for this tab. */
export function takeToken(): void {
  const hash = new URLSearchParams(location.hash.slice(1));
  const token = hash.get("token");
  if (token === null) return;
  sessionStorage.setItem(tokenKey, token);
  hash.delete("token");
  history.replaceState(null, "", hash.size === 0 ? location.pathname : `#${hash}`);
}

/** With a token that somebody typed. */
export function logIn(token: string): void {
  sessionStorage.setItem(tokenKey, token);
  link.value = { kind: "connecting" };
  void keepAsking();
}

export async function keepAsking(): Promise<void> {
  for (;;) {
    link.value = nextLink(link.value, await askOnce());
    const delayMs = nextDelayMs(link.value);
    if (delayMs === undefined) return;
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
}

/** What the address names is opened; nothing is decided by opening it. */
export async function openNamed(): Promise<void> {
  const id = new URLSearchParams(location.hash.slice(1)).get("approval");
  failure.value = "";
  if (id === null) opened.value = undefined;
  else await show(id);
}

export async function decide(id: string, what: "approve" | "deny", reason: string): Promise<void> {
  const body = JSON.stringify({ id, ...(reason !== "" && { reason }) });
  failure.value = await taken(ask(`approvals/${what}`, body));
  if (failure.value === "") await show(id);
}

/** Ends a restriction. */
export async function lift(id: string, because: string): Promise<void> {
  failure.value = await taken(ask("responses/lift", JSON.stringify({ id, because })));
  if (failure.value === "") responses.value = responses.value.filter((each) => each.id !== id);
}

async function show(id: string): Promise<void> {
  failure.value = await taken(ask(`approvals/show?id=${encodeURIComponent(id)}`), (answer) => {
    opened.value = readApproval(answer);
  });
}

/** @returns why it failed; nothing if it didn't */
async function taken(
  asking: Promise<Response>,
  take: (answer: unknown) => void = () => undefined,
): Promise<string> {
  try {
    const response = await asking;
    const answer: unknown = await response.json();
    if (!response.ok) return text(fields(answer)["message"]) || `The gateway answered ${response.status}.`;
    take(answer);
    return "";
  } catch {
    return "The gateway can't be reached.";
  }
}

async function askOnce(): Promise<Answered> {
  try {
    const waiting = await ask("approvals");
    if (waiting.status === 401) return "unauthorized";
    if (!waiting.ok) return "failed";
    approvals.value = readApprovals(await waiting.json());
    return await askForAll();
  } catch {
    return "failed";
  }
}

async function askForAll(): Promise<Answered> {
  const [statusAnswer, callsAnswer, inForce, found] = await Promise.all([
    ask("status"),
    ask("calls?limit=50"),
    ask("responses"),
    ask("incidents"),
  ]);
  if (statusAnswer.status === 403) return "ok";
  const read = statusAnswer.ok ? readStatus(await statusAnswer.json()) : undefined;
  if (read === undefined || !callsAnswer.ok || !inForce.ok || !found.ok) return "failed";
  incidents.value = readIncidents(await found.json());
  status.value = read;
  calls.value = readCalls(await callsAnswer.json());
  responses.value = readResponses(await inForce.json());
  return "ok";
}

/** @param body of what changes something */
function ask(route: string, body?: string): Promise<Response> {
  const authorization = `Bearer ${sessionStorage.getItem(tokenKey) ?? ""}`;
  const headers = { authorization, ...(body !== undefined && { "content-type": "application/json" }) };
  const method = body === undefined ? "GET" : "POST";
  return fetch(`/api/${route}`, { method, headers, cache: "no-store", ...(body !== undefined && { body }) });
}
