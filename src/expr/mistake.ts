/** Why a text isn't a condition: what is wrong, where, and what was probably meant. */

/** Lines and columns count from 1. */
export interface Mistake {
  readonly kind: "mistake";
  readonly message: string;
  readonly line: number;
  readonly column: number;
  /** What to write instead, where that can be told. */
  readonly suggestion?: string;
}

/** Ends a compilation; `compileCondition` makes a `Mistake` of it, so it never leaves this folder. */
export class Wrong extends Error {
  readonly offset: number;
  readonly suggestion: string | undefined;

  constructor(message: string, offset: number, suggestion?: string) {
    super(message);
    this.offset = offset;
    this.suggestion = suggestion;
  }
}

export function mistakeOf(wrong: Wrong, text: string): Mistake {
  const before = text.slice(0, wrong.offset);
  return {
    kind: "mistake",
    message: shown(wrong.message),
    line: before.split("\n").length,
    column: wrong.offset - before.lastIndexOf("\n"),
    ...(wrong.suggestion !== undefined && { suggestion: shown(wrong.suggestion) }),
  };
}

const maxMessage = 1000;

/** Names may be a server's, out of a schema: nothing that moves a cursor, and not much of it. */
function shown(text: string): string {
  const plain = text.slice(0, maxMessage).replaceAll(/\p{C}/gu, "?");
  return text.length > maxMessage ? `${plain}…` : plain;
}
