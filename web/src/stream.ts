/** What the gateway tells while it happens: one event stream for the whole page, taken up again when it breaks. */
import { signal } from "@preact/signals";

import { fields, text } from "./model/fields.ts";
import { retryDelayMs, type StreamState } from "./model/stream-state.ts";

export type What =
  | "approvals"
  | "crypto"
  | "incidents"
  | "people"
  | "policy"
  | "responses"
  | "status"
  | "tools";

export const streamState = signal<StreamState>("connecting");

type Heard = (what: What | "all") => void;
const heard = new Set<Heard>();
const batches = new Set<(batch: unknown) => void>();

let source: EventSource | undefined;
let retry: ReturnType<typeof setTimeout> | undefined;
let failures = 0;
let wasOpen = false;

/** @param act told "all" when changes may have been missed @returns to hear no more */
export function onChanged(act: Heard): () => void {
  heard.add(act);
  return () => heard.delete(act);
}

/** @param act given each batch of calls, ten a second at most @returns to hear no more */
export function onCalls(act: (batch: unknown) => void): () => void {
  batches.add(act);
  return () => batches.delete(act);
}

export function startStream(): void {
  if (source !== undefined) return;
  source = new EventSource("/api/v1/stream");
  source.addEventListener("open", opened);
  source.addEventListener("error", broken);
  source.addEventListener("changed", ({ data }: MessageEvent<unknown>) => {
    const what = text(fields(parsed(data))["what"]);
    for (const act of heard) act(what as What);
  });
  // The gateway knows no more what came since.
  source.addEventListener("reset", tellAll);
  source.addEventListener("calls", ({ data }: MessageEvent<unknown>) => {
    if (batches.size === 0) return;
    const batch = parsed(data);
    for (const act of batches) act(batch);
  });
}

export function stopStream(): void {
  clearTimeout(retry);
  source?.close();
  source = undefined;
  failures = 0;
  wasOpen = false;
  streamState.value = "connecting";
}

/** Something may have been missed while it was away. */
function opened(): void {
  failures = 0;
  streamState.value = "live";
  if (wasOpen) tellAll();
  wasOpen = true;
}

/** A stream that broke the browser resumes itself, by the last event's id; one that was refused it gives up. */
function broken(): void {
  failures += 1;
  wasOpen = true;
  streamState.value = failures > 2 ? "unreachable" : "reconnecting";
  if (source?.readyState === EventSource.CONNECTING) return;
  source?.close();
  source = undefined;
  clearTimeout(retry);
  retry = setTimeout(() => {
    startStream();
    // Whoever waits for news asks meanwhile, as seldom as this is tried.
    tellAll();
  }, retryDelayMs(failures));
}

function tellAll(): void {
  for (const act of heard) act("all");
}

function parsed(data: unknown): unknown {
  try {
    return JSON.parse(String(data)) as unknown;
  } catch {
    return undefined;
  }
}
