/** What the API says of logins and of what went wrong. */
import { fields, text, texts } from "./fields.ts";

export type Role = "viewer" | "operator" | "approver" | "admin";

export interface Session {
  /** As the audit log names who acts. */
  readonly name: string;
  readonly roles: readonly string[];
  /** How it came in: `link`, `oidc`, `passkey`, `token`. */
  readonly by: string;
  /** Sent with each change. */
  readonly csrf: string;
  readonly expiresAtUnixMs: number | undefined;
}

export function readSession(value: unknown): Session {
  const session = fields(value);
  const expires = session["expiresAtUnixMs"];
  return {
    name: text(session["name"]),
    roles: texts(session["roles"]),
    by: text(session["by"]),
    csrf: text(session["csrf"]),
    expiresAtUnixMs: typeof expires === "number" ? expires : undefined,
  };
}

/** Who acts has to see; who only approves sees what there is to approve. */
export function isAllowed(session: Session | undefined, role: Role): boolean {
  const roles = session?.roles ?? [];
  return roles.includes("admin") || roles.includes(role) || (role === "viewer" && roles.includes("operator"));
}

export interface LoginMethods {
  readonly link: boolean;
  readonly oidc: { readonly name: string } | undefined;
  readonly passkeys: boolean;
  /** For people who approve and nothing else. */
  readonly token: boolean;
}

export function readLoginMethods(value: unknown): LoginMethods {
  const { link, oidc, passkeys, token } = fields(value);
  const name = text(fields(oidc)["name"]);
  return {
    link: link === true,
    oidc: typeof oidc === "object" && oidc !== null ? { name: name || "your organisation" } : undefined,
    passkeys: passkeys === true,
    token: token === true,
  };
}

export interface Problem {
  readonly status: number;
  readonly code: string;
  /** A sentence for a person. */
  readonly words: string;
}

const wordsOf: Readonly<Record<number, string>> = {
  401: "You aren't logged in any more.",
  403: "Your roles don't let you do this.",
  404: "The gateway has nothing by this name.",
  409: "It has changed in the meantime: look again, then decide.",
  413: "That is too much at once.",
  429: "Too many requests: wait a moment.",
  503: "The gateway can't do this now.",
};

/** An answer that isn't 2xx, RFC 9457. */
export function readProblem(status: number, value: unknown): Problem {
  const problem = fields(value);
  const words = text(problem["detail"]) || text(problem["message"]) || text(problem["title"]);
  const code = text(problem["code"]) || text(problem["error"]);
  return {
    status,
    code,
    words: words || (wordsOf[status] ?? `The gateway answered ${status}.`),
  };
}
