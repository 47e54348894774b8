/** Something that a person does: one at a time, with what went wrong. */
import { useSignal } from "@preact/signals";

export interface Action {
  readonly isBusy: boolean;
  /** Why the last one failed, a sentence. */
  readonly failure: string | undefined;
  /** @returns whether it is done; false while another is under way */
  readonly run: (act: () => Promise<unknown>) => Promise<boolean>;
}

export function useAction(): Action {
  const isBusy = useSignal(false);
  const failure = useSignal<string | undefined>(undefined);
  const run = async (act: () => Promise<unknown>): Promise<boolean> => {
    if (isBusy.peek()) return false;
    isBusy.value = true;
    failure.value = undefined;
    try {
      await act();
      return true;
    } catch (error) {
      failure.value = error instanceof Error ? error.message : "It failed.";
      return false;
    } finally {
      isBusy.value = false;
    }
  };
  return { isBusy: isBusy.value, failure: failure.value, run };
}
