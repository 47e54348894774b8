/** Which of the gateway's own pages a request comes from, for what browsers bind to a page: passkeys. */
import { isIP } from "node:net";

import type { PasskeyPage } from "../../host/passkeys/webauthn.ts";
import { Refusal } from "../../kernel/refusal.ts";

/** @param origins those under which the page is served. @returns undefined for any other, and where browsers have no passkeys */
export function passkeyPage(host: string, origins: readonly string[]): PasskeyPage | undefined {
  const found = origins.map((origin) => new URL(origin)).find((url) => url.host === host.toLowerCase());
  if (found === undefined || isIP(found.hostname.replace(/^\[|\]$/g, "")) !== 0) return undefined;
  return { origin: found.origin, host: found.hostname };
}

/** @throws Refusal `bad_state` */
export function mustBePasskeyPage(host: string, origins: readonly string[]): PasskeyPage {
  const page = passkeyPage(host, origins);
  if (page !== undefined) return page;
  const named = origins.filter((origin) => passkeyPage(new URL(origin).host, origins) !== undefined);
  const where = named.length === 0 ? "this gateway's has none" : `open ${named.join(" or ")}`;
  throw new Refusal("bad_state", `Passkeys are for pages with a name; ${where}.`);
}
