/**
 * Colour on terminals, and there alone. As Node decides it: none where a stream is no terminal, where the terminal is
 * dumb, or where NO_COLOR is set; FORCE_COLOR has it everywhere. What is coloured says the same without it.
 */
import { styleText } from "node:util";

/** By what they mean, not by how they look. */
const styles = {
  good: "green",
  bad: "red",
  waits: "yellow",
  title: "bold",
  aside: "dim",
} as const;

export type Style = keyof typeof styles;

/** Writes `text` in that style where `stream` shows colours, and as it is elsewhere. */
export function coloured(style: Style, text: string, stream: NodeJS.WriteStream): string {
  return styleText(styles[style], text, { stream, validateStream: true });
}
