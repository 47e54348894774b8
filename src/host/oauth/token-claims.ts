/** What the claims of an access token say: which client it was given to, for whom, and what for (RFC 9068 §2.2). */
import type { JWTPayload } from "jose";

import type { Caller } from "../../model/caller.ts";
import { badToken, type VerifiedToken } from "./issuers.ts";

/** Longer names are cut in the audit log, and then two could look the same. */
const maxNameLength = 512;
const maxScopes = 256;

/** @throws Refusal `bad_token` if it names no client */
export function whose({ issuer, claims }: VerifiedToken): Pick<Caller, "id" | "chain"> {
  const client = nameIn(claims["client_id"] ?? claims["azp"], "client_id");
  const subject = claims.sub === undefined ? client : nameIn(claims.sub, "sub");
  return {
    id: `oauth:${issuer}/client/${client}`,
    chain: subject === client ? [] : [`oauth:${issuer}/user/${subject}`],
  };
}

/** RFC 6749 §3.3; some issuers give a list, or call it `scp`. */
export function scopesOf(claims: JWTPayload): readonly string[] {
  const scope = claims["scope"] ?? claims["scp"] ?? "";
  const names: readonly unknown[] = typeof scope === "string" ? scope.split(" ") : [scope].flat();
  if (names.length > maxScopes) throw badToken(`it has more than ${maxScopes} scopes`);
  return names.filter((name): name is string => typeof name === "string" && name !== "");
}

/**
 * INVARIANT: two names that look alike in the log are the same: no blanks at the ends, nothing that doesn't print, and
 * nothing that reads like another caller's id joined to it, as in `app for oauth:corp/user/alice`.
 */
function nameIn(value: unknown, claim: string): string {
  const isName = typeof value === "string" && /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(value);
  if (isName && value.length <= maxNameLength && !/(?: for |, )(?:spiffe:\/\/|oauth:)/.test(value))
    return value;
  throw badToken(`its "${claim}" isn't one that can be used as a name`);
}
