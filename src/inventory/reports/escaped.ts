import { revealed } from "../../wire/hidden-text.ts";

/** Text of a stranger's for HTML, in elements and in attributes; what hides from people is shown as what it is. */
export function escaped(text: string): string {
  return revealed(text).replaceAll(/[&<>"']/g, (sign) => `&#${sign.codePointAt(0)};`);
}
