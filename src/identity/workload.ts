/** Which identity a workload gets for what is proven of it: the entry that fits, and why others don't. */
import { Refusal } from "../kernel/refusal.ts";
import { claimText, compilePattern, compileTemplate, type Pattern } from "./claim-pattern.ts";

/** What every newcomer is told whose proof doesn't get it an identity; why stands in the gateway's log alone. */
export const proofRefusedText =
  "This proof isn't accepted. It must be valid, unused, made for this gateway, and of a workload that its operator configured; the gateway's log says what is wrong.";

export interface EnrolmentRule {
  readonly name: string;
  /** The SPIFFE ID for these claims, or why it isn't given; the reason holds no claim's text. */
  readonly identify: (claims: unknown, domain: string) => Identified;
}

export type Identified =
  | { readonly kind: "identity"; readonly spiffeId: string; readonly purpose: "client" | "server" }
  | { readonly kind: "no-match"; readonly reason: string };

/** @throws Refusal `bad_config` */
export function compileEnrolment(document: {
  readonly name: string;
  readonly match: Readonly<Record<string, string>>;
  readonly identity: string;
}): EnrolmentRule {
  const at = `enrolment "${document.name}"`;
  try {
    const patterns = Object.entries(document.match).map(
      ([claim, text]) => [claim, compilePattern(text)] as const,
    );
    const names = patterns.flatMap(([, pattern]) => pattern.names);
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) throw new Refusal("bad_config", `{${twice}} is named by two claims.`);
    const template = compileTemplate(document.identity, names);
    return {
      name: document.name,
      identify: (claims, domain) => {
        const parts = partsOf(patterns, claims);
        if (typeof parts === "string") return { kind: "no-match", reason: parts };
        return { kind: "identity", spiffeId: template.idOf(parts, domain), purpose: template.purpose };
      },
    };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new Refusal("bad_config", `${at}: ${error.message}`, { cause: error });
  }
}

/** Issuers whose tokens anybody can have made: which claims tell whose they are, and how such a pattern begins. */
const sharedIssuers: Readonly<Record<string, Readonly<Record<string, RegExp>>>> = {
  "https://token.actions.githubusercontent.com": {
    sub: /^(repo|organization|enterprise):[^*{/:]+[/:]/,
    repository: /^[^*{/]+\//,
    repository_id: /^\d+$/,
    repository_owner: /^[^*{]+$/,
    repository_owner_id: /^\d+$/,
    job_workflow_ref: /^[^*{/]+\//,
  },
  "https://gitlab.com": {
    sub: /^project_path:[^*{/]+\//,
    project_path: /^[^*{/]+\//,
    project_id: /^\d+$/,
    namespace_path: /^[^*{/]+(\/|$)/,
    namespace_id: /^\d+$/,
  },
};

/**
 * Without such a claim everybody who has an account there could enrol.
 * @throws Refusal `bad_config`
 */
export function checkSharedIssuer(
  name: string,
  issuer: string,
  match: Readonly<Record<string, string>>,
): void {
  const telling = sharedIssuers[issuer.replace(/\/$/, "")];
  if (telling === undefined) return;
  const isTied = Object.entries(match).some(([claim, text]) => telling[claim]?.test(text) ?? false);
  if (isTied) return;
  throw new Refusal(
    "bad_config",
    `enrolment "${name}": ${issuer} makes tokens for anybody. Match one of ${Object.keys(telling).join(", ")} by a text that begins with whose it is.`,
  );
}

function partsOf(
  patterns: readonly (readonly [string, Pattern])[],
  claims: unknown,
): ReadonlyMap<string, string> | string {
  const parts = new Map<string, string>();
  for (const [claim, pattern] of patterns) {
    const text = claimText(claims, claim);
    if (text === undefined) return `the claim ${claim} is missing, or no text`;
    const found = pattern.match(text);
    if (found === undefined) return `the claim ${claim} doesn't match`;
    for (const [name, part] of found) parts.set(name, part);
  }
  return parts;
}
