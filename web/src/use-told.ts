/** What the stream tells of calls, gathered: shown twice a second, however fast they come. */
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

import { type Batch, readBatch } from "./model/live-calls.ts";
import { onCalls } from "./stream.ts";

const showEveryMs = 500;

/**
 * @param gather adds a batch to what was gathered
 * @param since another one begins anew from `start`
 */
export function useTold<T>(start: T, gather: (gathered: T, batch: Batch) => T, since?: unknown): T {
  const shown = useSignal({ since, gathered: start });
  const gatherer = useRef(gather);
  gatherer.current = gather;
  useEffect(() => {
    let gathered = start;
    let showing: ReturnType<typeof setTimeout> | undefined;
    shown.value = { since, gathered };
    const unhear = onCalls((batch) => {
      gathered = gatherer.current(gathered, readBatch(batch));
      showing ??= setTimeout(() => {
        showing = undefined;
        shown.value = { since, gathered };
      }, showEveryMs);
    });
    return () => {
      unhear();
      clearTimeout(showing);
    };
  }, [since]);
  return shown.value.since === since ? shown.value.gathered : start;
}
