/** What one message may cost, all its texts together: thousands of short ones must not cost more than a long one. */
import type { Finding } from "../../model/finding.ts";

/** What is left of it. */
export interface Budget {
  /** Characters in which hidden text is looked for: up to 1.5 µs each where all of them are odd. */
  hidden: number;
  /** Pieces that are handed to the rules for secrets, 20 µs each, and their characters, 0.1 µs each. */
  windows: number;
  windowChars: number;
  /** Numbers whose check digits are looked at. */
  tries: number;
  /** Texts that are decoded, and their characters, up to 0.2 µs each. */
  decodings: number;
  decodedChars: number;
}

export function wholeBudget(): Budget {
  return {
    hidden: 16 * 1024,
    windows: 1000,
    windowChars: 128 * 1024,
    tries: 10_000,
    decodings: 500,
    decodedChars: 32 * 1024,
  };
}

/** What was seen in one text. */
export interface Look {
  readonly found: readonly Finding[];
  /** There was nothing more to look at. */
  readonly isAll: boolean;
}
