/** `control` in the config: who may use the control room, as what, and for how long a login lasts. */
import { z } from "zod";

import { type Role, roles } from "../../control/login.ts";
import { ownNames, personName } from "./approvals.ts";
import { httpsOrigin, webCertificates } from "./listen.ts";
import { address, durationMs, secretSource, secureUrl } from "./values.ts";

const person = z.strictObject({
  roles: z
    .array(z.enum(roles))
    .min(1)
    .describe(
      "What that one may do: `viewer` reads, `operator` acts, `approver` decides held calls and proposals, `admin` has all of it and people and sessions, too.",
    ),
  is: ownNames,
  oidc: z
    .strictObject({
      sub: z.string().min(1).max(255).optional().describe("Its `sub` at the provider, which never changes."),
      email: z
        .string()
        .min(3)
        .max(254)
        .optional()
        .describe("Its address, where the ID token has it and says `email_verified`."),
    })
    .refine(({ sub, email }) => (sub === undefined) !== (email === undefined), "expected `sub` or `email`")
    .optional()
    .describe("Who that is at `control.oidc`."),
});

/** No `approver`: of a group's member nobody knows which calls are its own, and of those it may decide none. */
const groupRoles = ["viewer", "operator", "admin"] as const satisfies readonly Role[];
/** A role for each of hundreds of groups nobody looks through. */
const maxGroupsWithRoles = 64;

const groups = z
  .strictObject({
    claim: z.string().min(1).max(255).default("groups").describe("Where the ID token lists them."),
    scope: z
      .string()
      .max(128)
      .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, "expected one scope")
      .optional()
      .describe("Asked for beside `openid email`, where the provider tells groups for that alone."),
    roles: z
      .record(z.string().min(1).max(256), z.array(z.enum(groupRoles)).min(1))
      .refine((roles) => {
        const count = Object.keys(roles).length;
        return count > 0 && count <= maxGroupsWithRoles;
      }, `expected 1 to ${maxGroupsWithRoles} groups`)
      .describe(
        "What members of a group may do, by its name at the provider: `viewer`, `operator`, `admin`. Held calls are decided by those alone who are named in `people`.",
      ),
  })
  .optional()
  .describe(
    "People who aren't named one by one, by their groups. Who is named has the roles that stand there, whatever its groups are.",
  );

const oidc = z
  .strictObject({
    issuer: secureUrl.describe("The OpenID provider; what it needs to know is found by discovery."),
    client_id: z.string().min(1).max(512).describe("The gateway's name there."),
    client_secret: secretSource
      .optional()
      .describe("Its secret; without one it is a public client, which PKCE protects alone."),
    name: z.string().min(1).max(64).default("your organisation").describe("What the login page calls it."),
    groups,
  })
  .optional()
  .describe(
    "Login at an OpenID provider, for the people who are named by `oidc`, and for groups. Its redirect URI is the page's address with `/login`.",
  );

export const controlSchema = z
  .strictObject({
    people: z
      .record(personName, person)
      .default({})
      .describe(
        "People who may log in, by name; `latticegate login --person NAME` prints a link for one. Whoever may open the state folder is admin without being named.",
      ),
    oidc,
    remote: z
      .strictObject({
        address: address.describe("Host and port; port 0 takes a free one."),
        url: httpsOrigin.describe("Origin under which browsers and commands know it."),
        certificates: webCertificates,
      })
      .optional()
      .describe(
        "The control room for other machines: browsers, by a web certificate, and commands, by identities made `--for person/NAME`. TLS 1.3 with ML-KEM, or nothing. By default it is on loopback and on a socket alone.",
      ),
    sessions: z
      .strictObject({
        idle: durationMs.prefault("15m").describe("After how long without a request a session ends."),
        lifetime: durationMs.prefault("8h").describe("After how long a session ends, used or not."),
      })
      .prefault({})
      .describe("How long a login lasts."),
  })
  .refine(
    ({ people, oidc: provider }) =>
      provider !== undefined || Object.values(people).every((each) => each.oidc === undefined),
    "people are named by `oidc`, and `control.oidc` names no provider",
  )
  .refine(
    ({ people }) => areDistinct(Object.values(people).map(({ oidc: at }) => at && JSON.stringify(at))),
    "two people are the same at the provider",
  )
  .prefault({})
  .describe("The control room: its people and their sessions.");

export type ControlSettings = z.output<typeof controlSchema>;

function areDistinct(values: readonly (string | undefined)[]): boolean {
  const known = values.filter((value) => value !== undefined);
  return new Set(known).size === known.length;
}
