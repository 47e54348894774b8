/** What arguments of a call may be, where a request is made of them. */
import { Refusal } from "../kernel/refusal.ts";

export function refused(because: string): Refusal {
  return new Refusal("bad_message", `No request can be made of this call: ${because}.`);
}

/** Of either alphabet (RFC 4648 §4, §5). @throws Refusal `bad_message` that names the argument */
export function fromBase64(text: string, argument: string): Uint8Array {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text)) throw refused(`${argument} is to be base64`);
  try {
    return Uint8Array.fromBase64(text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, ""), {
      alphabet: "base64url",
    });
  } catch {
    throw refused(`${argument} is to be base64`);
  }
}
