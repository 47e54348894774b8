/** Holds up what is read for others while those don't keep up. */
export interface FlowGate {
  /** Resolves while it isn't paused. */
  readonly open: () => Promise<void>;
  readonly isPaused: () => boolean;
  readonly pause: () => void;
  readonly resume: () => void;
}

/** Open until it is paused; each `pause` needs its `resume`. */
export function flowGate(): FlowGate {
  let pauses = 0;
  let opened = Promise.withResolvers<void>();
  return {
    isPaused: () => pauses > 0,
    open: () => (pauses === 0 ? Promise.resolve() : opened.promise),
    pause: () => {
      if (pauses++ === 0) opened = Promise.withResolvers<void>();
    },
    resume: () => {
      if (--pauses === 0) opened.resolve();
    },
  };
}
