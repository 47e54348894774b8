/** Personal data by form and check digits: what merely has as many digits isn't told. */
import type { Finding } from "../../model/finding.ts";
import type { Budget, Look } from "./budget.ts";
import { isCard, isIban } from "./check-digits.ts";
import { gateFinding, type GateKind } from "./kinds.ts";
import type { Leaf } from "./leaves.ts";
import { nationalIds } from "./national-ids.ts";
import type { Traits } from "./traits.ts";

interface Row {
  readonly kind: GateKind;
  readonly sort: string;
  /** Digits of a text that has one. */
  readonly leastDigits: number;
  readonly form: RegExp;
  readonly fits: (found: string, before: string) => boolean;
}

/** Lookbehinds and bounded repetition alone: each takes time in proportion to the text. */
const rows: readonly Row[] = [
  {
    kind: "personal.iban",
    sort: "a bank account (IBAN)",
    leastDigits: 10,
    form: /(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}/g,
    fits: isIban,
  },
  {
    kind: "personal.card",
    sort: "a payment card",
    leastDigits: 14,
    form: /(?<![\w.+-])\d(?:[ -]?\d){13,18}(?![\w-]|\.\d)/g,
    fits: isCard,
  },
  {
    kind: "personal.us-ssn",
    sort: "a US social security number",
    leastDigits: 9,
    form: /(?<![\w.-])\d{3}[- ]?\d{2}[- ]?\d{4}(?![\w-]|\.\d)/g,
    fits: isUsSsn,
  },
  {
    kind: "personal.phone",
    sort: "a phone number",
    leastDigits: 8,
    form: /(?<![\w.+/=-])(?:\+[1-9](?:[ .()-]{0,2}\d){7,14}|\(?[2-9]\d{2}\)?[ .-][2-9]\d{2}[ .-]\d{4})(?![\w-]|\.\d)/g,
    fits: () => true,
  },
  ...nationalIds.map(({ sort, leastDigits, form, fits }) => ({
    kind: "personal.national-id" as const,
    sort,
    leastDigits,
    form,
    fits,
  })),
];

const wordsBefore = 40;

export function personalIn({ at, text }: Leaf, { digits, hasAt }: Traits, budget: Budget): Look {
  const found: Finding[] = [];
  let isAll = true;
  for (const { kind, sort, leastDigits, form, fits } of rows) {
    if (digits < leastDigits) continue;
    for (const match of text.matchAll(form)) {
      if (budget.tries <= 0) {
        isAll = false;
        break;
      }
      budget.tries -= 1;
      if (!fits(match[0], text.slice(Math.max(0, match.index - wordsBefore), match.index))) continue;
      found.push(gateFinding(kind, at, `Personal data stands there: ${sort}.`));
      break;
    }
  }
  if (hasAt && email.test(text)) {
    found.push(gateFinding("personal.email", at, "Personal data stands there: an e-mail address."));
  }
  return { found, isAll };
}

const email = /(?<![\w.+%-])[\w.+%-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}\.){1,5}[A-Za-z]{2,24}(?![\w-])/;

/** SSA: never 000, 666 or 9xx; no zero group. Without separators it needs a word that says so. */
function isUsSsn(found: string, before: string): boolean {
  const digits = found.replaceAll(/\D/g, "");
  const [area, group, serial] = [digits.slice(0, 3), digits.slice(3, 5), digits.slice(5)];
  if (area === "000" || area === "666" || area.startsWith("9") || group === "00" || serial === "0000")
    return false;
  // Printed on cards that were sold in shops, and never anybody's since.
  if (["078051120", "219099999", "123456789"].includes(digits)) return false;
  if (/^\d{3}-\d{2}-\d{4}$/.test(found)) return true;
  return /\b(?:ssn|social.{0,3}security|tax.{0,3}id)/i.test(before);
}
