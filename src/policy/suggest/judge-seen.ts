/** Asks the judge about calls that were seen, by their arguments. */
import { decide } from "../decide.ts";
import type { Rule } from "../rules.ts";
import type { Use } from "./roles.ts";

/** Whether one party of a call is let through by these rules. */
export function passes({ call, party, began, isDelegated }: Use, rules: readonly Rule[]): boolean {
  const { server, kind, name, args, atUnixMs } = call;
  const facts = {
    args: kind === "resources" ? { uri: name } : args,
    call: { server, kind, name, tool: kind === "tools" ? name : "" },
  };
  // As if it were the only party: the others have rules of their own.
  const asAlone = rules.flatMap(({ matchesOnBehalfOf, ...rule }) =>
    countsFor({ ...rule, ...(matchesOnBehalfOf && { matchesOnBehalfOf }) }, { began, isDelegated })
      ? [rule]
      : [],
  );
  const verdict = decide(
    {
      caller: { id: party, chain: [], proof: { ...anyProof, notAfterUnixMs: atUnixMs } },
      link: anyLink,
      server,
      target: { kind, name },
      facts: { of: () => facts },
    },
    asAlone,
  );
  return verdict.kind === "permit";
}

function countsFor(
  { matchesOnBehalfOf, neverDelegated }: Rule,
  { began, isDelegated }: Pick<Use, "began" | "isDelegated">,
): boolean {
  if (isDelegated && neverDelegated) return false;
  return matchesOnBehalfOf === undefined || (began !== "" && matchesOnBehalfOf(began));
}

/** The rules that are drafted ask for neither. */
const anyProof = { kind: "svid", serial: "00", issuer: "", issuedAtUnixMs: 0 } as const;
const anyLink = { group: "", level: 0, isPostQuantum: false, certificate: undefined };
