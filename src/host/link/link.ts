/** A link to a server on which messages go both ways, whatever it is made of: a process's pipes, or a stream and POSTs. */
import type { HeaderList } from "../../gate/call.ts";
import type { Refusal } from "../../kernel/refusal.ts";
import type { Frame } from "../../wire/frame.ts";

export interface Link {
  /**
   * Sends one message; its bytes stay as they are.
   * @param headers what came along with it; a link that has no place for headers leaves them out
   * @throws Refusal `busy` if the server doesn't take what it was sent before
   */
  readonly send: (message: Uint8Array, headers: HeaderList) => void;
  /** Stops taking what the server says until each `pause` had its `resume`. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** Whether a reader that is slower than the server keeps it from being heard. */
  readonly isHeldUp: () => boolean;
  /** Ends the link; resolves when nothing is left of it. */
  readonly stop: () => Promise<void>;
}

export interface LinkEvents {
  readonly onMessage: (frame: Frame) => void;
  /** A message that `send` took, and that the server didn't. */
  readonly onUndelivered: (message: Uint8Array, refusal: Refusal) => void;
  /** Once, whatever the cause, and never within `open`; nothing follows. */
  readonly onEnd: (refusal: Refusal) => void;
}

/** How one server is linked to: once for each session. */
export interface LinkSpec {
  /** Name of the server, for the log. */
  readonly name: string;
  readonly open: (events: LinkEvents) => Link;
}
