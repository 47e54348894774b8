/** A link to a server on which messages go both ways, whatever it is made of: a process's pipes, or a stream and POSTs. */
import type { Journaled } from "../../gate/call.ts";
import type { Refusal } from "../../kernel/refusal.ts";
import type { Frame, RequestId } from "../../wire/frame.ts";

export interface Link {
  /**
   * Sends one message; its bytes stay as they are.
   * @param call with which it came; none for what the gateway says of itself
   * @throws Refusal `busy` if the server doesn't take what it was sent before
   */
  readonly send: (message: Uint8Array, call: Journaled | undefined) => void;
  /** Stops taking what the server says until each `pause` had its `resume`. */
  readonly pause: () => void;
  readonly resume: () => void;
  /** Whether a reader that is slower than the server keeps it from being heard. */
  readonly isHeldUp: () => boolean;
  /** Ends the link; resolves when nothing is left of it. */
  readonly stop: () => Promise<void>;
}

export interface LinkEvents {
  /** Never within `send`. @param about the request that it belongs to, or null for none, where the link knows */
  readonly onMessage: (frame: Frame, about?: RequestId | null) => void;
  /** A message that `send` took, and that the server didn't. Never within `send`. */
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
