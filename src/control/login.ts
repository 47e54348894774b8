/** Who asks the control API, and what that one may. */

export const roles = ["viewer", "operator", "approver", "admin"] as const;

/** `viewer` reads, `operator` acts, `approver` decides held calls and proposals, `admin` has all of it and people, too. */
export type Role = (typeof roles)[number];

/** How somebody came in. */
export type WayIn = "token" | "link" | "oidc" | "passkey" | "socket" | "identity";

export interface Login {
  /** As the audit log names who acts: `operator:local`, `person:alice`. */
  readonly name: string;
  readonly roles: ReadonlySet<Role>;
  readonly by: WayIn;
  /** Which of its passkeys it came in by. */
  readonly passkey?: string;
}

/** Where a request comes from, as far as a session is bound to it. */
export interface From {
  readonly address: string;
  /** Whether it came over TLS to the name this room has for other machines. */
  readonly isRemote?: boolean;
  /** The program that asks, as it says itself. */
  readonly agent: string;
}

/** @returns whether a login may use a route that is open to `role`, or to any of several */
export function may({ roles: own }: Login, role: Role | readonly Role[]): boolean {
  if (own.has("admin")) return true;
  // Who acts has to see; who only approves sees what there is to approve.
  return [role].flat().some((each) => own.has(each) || (each === "viewer" && own.has("operator")));
}
