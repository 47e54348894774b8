/**
 * Who decides about held calls, by what they prove. `operator` is whoever may open the state folder: by a command, or by
 * the page's token of this start, which stands there. INVARIANT: all of them count as one, since one person can be
 * several users of a machine. `person:NAME` has a token of its own, of which the config has the hash.
 */
import { randomBytes } from "node:crypto";

import type { Login, Role } from "../../control/login.ts";
import { sha256Base64url } from "../../crypto/hash.ts";
import type { Approver } from "../../host/store/approval-rows.ts";
import { isSameSecret } from "../../host/net/loopback.ts";
import { Refusal } from "../../kernel/refusal.ts";

export type People = Readonly<
  Record<string, { readonly token_hash?: string; readonly is: readonly string[] }>
>;

export interface ConfiguredPeople {
  readonly approvals: { readonly people: People };
  readonly control: {
    readonly people: Readonly<
      Record<string, { readonly roles: readonly Role[]; readonly is: readonly string[] }>
    >;
  };
}

/** Those with tokens, and those who log in and may approve; whoever is both is one. */
export function approvingPeople({ approvals, control }: ConfiguredPeople): People {
  const people: Record<string, People[string]> = { ...approvals.people };
  for (const [name, { roles, is }] of Object.entries(control.people)) {
    if (!roles.includes("approver") && !roles.includes("admin")) continue;
    const known = people[name];
    people[name] = { ...known, is: [...new Set([...(known?.is ?? []), ...is])] };
  }
  return people;
}

const operator = "operator";
const prefix = "person:";

/** @param login how it got there, for the record: `uid 1000`, `page` */
export function operatorBy(login: string): Approver {
  return { name: operator, also: [], login };
}

/** Whose token that is. */
export function personOf(token: string, people: People): string | undefined {
  const hash = sha256Base64url(token);
  const found = Object.entries(people).find(
    ([, { token_hash: expected }]) => expected !== undefined && isSameSecret(hash, expected),
  );
  return found && prefix + found[0];
}

/** @throws Refusal `no_identity` for a name that isn't in the config (any more) */
export function approverOf(name: string, { people, login }: { people: People; login: string }): Approver {
  if (name === operator) return operatorBy(login);
  const person = name.slice(prefix.length);
  const known = Object.hasOwn(people, person) ? people[person] : undefined;
  if (known === undefined || !name.startsWith(prefix))
    throw new Refusal("no_identity", "The token is nobody's who may approve.");
  return { name, also: known.is, login };
}

/** The same of who came in by the control API; undefined for who decides nothing: viewers, and members of groups. */
export function knownApprover({ name, by }: Login, people: People): Approver | undefined {
  if (!name.startsWith(prefix)) return operatorBy(by);
  return Object.hasOwn(people, name.slice(prefix.length))
    ? approverOf(name, { people, login: by })
    : undefined;
}

/** @throws Refusal `denied` */
export function approverOfLogin(login: Login, people: People): Approver {
  const known = knownApprover(login, people);
  if (known !== undefined) return known;
  // INVARIANT: nobody approves its own call, and of whom the config doesn't name nobody knows which those are.
  throw new Refusal("denied", `${login.name} decides nothing here: the config names those who do.`);
}

/** Whoever holds the state folder has all requests anyway; people are shown what they may decide. */
export function seesAll({ name, roles }: Login): boolean {
  return roles.has("admin") || !name.startsWith(prefix);
}

/** A token for somebody, and what the config is to say of it. */
export function freshToken(): { readonly token: string; readonly hash: string } {
  const token = randomBytes(32).toString("base64url");
  return { token, hash: sha256Base64url(token) };
}
