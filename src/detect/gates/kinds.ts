/** What gates find: one row a kind. Gates say; rules decide. */
import type { Finding, Severity } from "../../model/finding.ts";

interface KindRow {
  readonly kind: string;
  readonly severity: Severity;
  /** What it means, for the reference. */
  readonly means: string;
  /** Cost of looking, in microseconds per 1,000 characters of ordinary text, as measured; 0 where it isn't by text. */
  readonly cost: number;
}

export const gateKinds = [
  { kind: "secret", severity: "high", means: "a key, token or password of a known form", cost: 5 },
  { kind: "secret.named", severity: "medium", means: "a value under a name that says secret", cost: 0 },
  {
    kind: "personal.iban",
    severity: "medium",
    means: "a bank account, by its check digits (ISO 7064)",
    cost: 4,
  },
  { kind: "personal.card", severity: "high", means: "a payment card, by issuer and Luhn", cost: 4 },
  {
    kind: "personal.us-ssn",
    severity: "high",
    means: "a US social security number that may be issued",
    cost: 4,
  },
  {
    kind: "personal.national-id",
    severity: "high",
    means: "a national number whose check digits agree",
    cost: 4,
  },
  { kind: "personal.email", severity: "low", means: "an e-mail address", cost: 1 },
  {
    kind: "personal.phone",
    severity: "low",
    means: "a phone number (E.164, or as North America writes it)",
    cost: 4,
  },
  {
    kind: "hidden.characters",
    severity: "high",
    means: "characters without a glyph that carry text",
    cost: 3,
  },
  {
    kind: "hidden.order",
    severity: "high",
    means: "marks that change the order in which text is shown",
    cost: 3,
  },
  { kind: "hidden.terminal", severity: "medium", means: "what moves a terminal's cursor", cost: 3 },
  { kind: "hidden.unrendered", severity: "medium", means: "text that a page doesn't show", cost: 3 },
  { kind: "hidden.letters", severity: "medium", means: "letters that pose as others", cost: 3 },
  { kind: "hidden.encoded", severity: "medium", means: "instructions that are encoded", cost: 3 },
  {
    kind: "hidden.mark",
    severity: "low",
    means: "an invisible mark that is also found in honest texts",
    cost: 3,
  },
  {
    kind: "schema",
    severity: "medium",
    means: "arguments that the tool's own schema doesn't allow",
    cost: 0,
  },
  {
    kind: "destructive",
    severity: "high",
    means: "a call that can't be undone and that nobody confirmed",
    cost: 0,
  },
  {
    kind: "shadowed",
    severity: "high",
    means: "a name that is, or looks like, another server's tool",
    cost: 0,
  },
  { kind: "unread", severity: "medium", means: "more than is looked at: the rest may say anything", cost: 0 },
] as const satisfies readonly KindRow[];

export type GateKind = (typeof gateKinds)[number]["kind"];

const severities: ReadonlyMap<string, Severity> = new Map(
  gateKinds.map(({ kind, severity }) => [kind, severity]),
);

export function gateFinding(kind: GateKind, at: string, says: string): Finding {
  return { kind, severity: severities.get(kind) ?? "medium", at, says };
}
