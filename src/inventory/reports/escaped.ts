/** Text of a stranger's for HTML. */
import { revealed } from "../../wire/hidden-text.ts";

/** In elements and in attributes; what hides from people is shown as what it is. */
export function escaped(text: string): string {
  return revealed(text).replaceAll(/[&<>"']/g, (sign) => `&#${sign.codePointAt(0)};`);
}
