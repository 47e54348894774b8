/** What the API says, kept up to date: asked for, and asked for again when the gateway says that it changed. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { Failed, get } from "./api.ts";
import { onCalls, onChanged, type What } from "./stream.ts";

export interface Loaded<T> {
  /** The last that was read; stays while it is asked for again. */
  readonly data: T | undefined;
  readonly failure: Failed | undefined;
  readonly isLoading: boolean;
  readonly reload: () => void;
}

interface State<T> {
  readonly data: T | undefined;
  readonly failure: Failed | undefined;
  readonly isLoading: boolean;
}

/** News within this time lead to one question. */
const gatherMs = 300;
/** Calls come all the time: what they change is asked for as seldom as its reader bears. */
const gatherCallsMs = { calls: 2000, "calls-slowly": 15_000 } as const;

/**
 * @param path below /api/v1, undefined: nothing is asked. On another path the last data stay until its answer
 * is there; a component that shows another thing altogether takes a `key`.
 * @param changed what it is asked for again upon; "calls": every two seconds while there are calls, "calls-slowly":
 * every fifteen
 */
export function useLoaded<T>(
  path: string | undefined,
  read: (answer: unknown) => T,
  changed: readonly (What | keyof typeof gatherCallsMs)[] = [],
): Loaded<T> {
  const state = useSignal<State<T>>({ data: undefined, failure: undefined, isLoading: path !== undefined });
  const reload = useRef<() => void>(() => undefined);
  const reader = useRef(read);
  reader.current = read;
  const about = changed.join(" ");
  useEffect(() => {
    if (path === undefined) return undefined;
    const asking = keepAsking(about, async (signal) => {
      state.value = { ...state.peek(), isLoading: true };
      const next = await answerTo(path, reader.current, signal);
      if (!signal.aborted) state.value = { data: state.peek().data, ...next, isLoading: false };
    });
    reload.current = asking.now;
    return asking.stop;
  }, [path, about]);
  return { ...state.value, reload: () => reload.current() };
}

async function answerTo<T>(
  path: string,
  read: (answer: unknown) => T,
  signal: AbortSignal,
): Promise<{ readonly data?: T; readonly failure: Failed | undefined }> {
  try {
    return { data: await get(path, read, signal), failure: undefined };
  } catch (error) {
    if (error instanceof Failed) return { failure: error };
    return {
      failure: new Failed(
        { status: 0, code: "unread", words: "The answer can't be read." },
        { cause: error },
      ),
    };
  }
}

/** One question at a time; what comes meanwhile leads to one more. A hidden tab asks when it is looked at again. */
function keepAsking(
  about: string,
  ask: (signal: AbortSignal) => Promise<void>,
): { readonly now: () => void; readonly stop: () => void } {
  const over = new AbortController();
  const { signal } = over;
  let isAsking = false;
  let isStale = false;
  const gathering = new Map<number, ReturnType<typeof setTimeout>>();
  const now = (): void => {
    isStale = true;
    if (isAsking || document.hidden) return;
    isStale = false;
    isAsking = true;
    void ask(signal).finally(() => {
      isAsking = false;
      if (isStale && !signal.aborted) now();
    });
  };
  const soon = (afterMs: number): void => {
    if (gathering.has(afterMs)) return;
    const gathered = setTimeout(() => {
      gathering.delete(afterMs);
      now();
    }, afterMs);
    gathering.set(afterMs, gathered);
  };
  const names = about.split(" ");
  const unhear = onChanged((what) => {
    if (what === "all" || names.includes(what)) soon(gatherMs);
  });
  const pace = (["calls", "calls-slowly"] as const).find((each) => names.includes(each));
  const unhearCalls = pace && onCalls(() => soon(gatherCallsMs[pace]));
  document.addEventListener("visibilitychange", () => isStale && now(), { signal });
  isAsking = true;
  void ask(signal).finally(() => (isAsking = false));
  return {
    now,
    stop: () => {
      unhear();
      unhearCalls?.();
      gathering.forEach(clearTimeout);
      over.abort();
    },
  };
}
