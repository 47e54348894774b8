/** Random bytes for what stands on the wire in the clear, drawn by the page: asking for 16 costs more than all that is done with them. */
import { randomFillSync } from "node:crypto";

const nonceBytes = 16;
const page = new Uint8Array(256 * nonceBytes);
let used = page.length;

/** 16 random bytes, handed out once. */
export function freshNonce(): Uint8Array {
  if (used === page.length) {
    randomFillSync(page);
    used = 0;
  }
  return page.slice(used, (used += nonceBytes));
}
