/** Undoes what a test set up, last first: a gateway stops before its folder goes. */

/** A test's context, or whatever else says when it is over. */
export interface Cleanup {
  readonly after: (undo: () => unknown) => void;
}

const stacks = new WeakMap<Cleanup, (() => unknown)[]>();

/** Runs `undo` when the test is over, before everything that was asked for earlier. */
export function atEnd(t: Cleanup, undo: () => unknown): void {
  const known = stacks.get(t);
  if (known !== undefined) {
    known.push(undo);
    return;
  }
  const stack = [undo];
  stacks.set(t, stack);
  t.after(async () => {
    let failure: { readonly error: unknown } | undefined;
    for (let step = stack.pop(); step !== undefined; step = stack.pop()) {
      try {
        await step();
      } catch (error) {
        failure ??= { error };
      }
    }
    if (failure !== undefined) throw failure.error;
  });
}
