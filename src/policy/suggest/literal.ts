/** Pieces of a condition in CEL. */

/** A condition on one value, and what it says for people. */
export interface Clause {
  readonly text: string;
  readonly says: string;
}

/** A text as conditions have it. */
export function literal(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007f-\u009f\u2028\u2029]/g,
    (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** A text as it stands in a pattern of RE2. */
export function quoted(text: string): string {
  return text.replaceAll(/[\\.+*?()|[\]{}^$]/g, (each) => `\\${each}`);
}
