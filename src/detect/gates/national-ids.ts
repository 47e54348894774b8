/** Numbers that states give people, those with check digits or a form of their own. */
import { luhn, mod97, verhoeff, weighted } from "./check-digits.ts";

interface NationalId {
  readonly sort: string;
  readonly leastDigits: number;
  readonly form: RegExp;
  readonly fits: (found: string, before: string) => boolean;
}

export const nationalIds: readonly NationalId[] = [
  {
    sort: "a Brazilian CPF",
    leastDigits: 11,
    form: /(?<![\w.-])\d{3}\.\d{3}\.\d{3}-\d{2}(?![\w-])/g,
    fits: isCpf,
  },
  {
    sort: "a Spanish DNI or NIE",
    leastDigits: 7,
    form: /(?<![\w-])(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z](?![\w-])/g,
    fits: isDni,
  },
  {
    sort: "an Italian codice fiscale",
    leastDigits: 7,
    form: /(?<!\w)[A-Z]{6}\d{2}[A-EHLMPR-T]\d{2}[A-Z]\d{3}[A-Z](?!\w)/g,
    fits: isCodiceFiscale,
  },
  {
    sort: "a French NIR",
    leastDigits: 13,
    form: /(?<![\w.-])[12] ?\d{2} ?(?:0[1-9]|1[0-2]) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}(?![\w-])/g,
    fits: isNir,
  },
  {
    sort: "a Polish PESEL",
    leastDigits: 11,
    form: /(?<![\w.+-])\d{11}(?![\w-]|\.\d)/g,
    fits: (found, before) => /pesel/i.test(before) && isPesel(found),
  },
  {
    sort: "a German tax number",
    leastDigits: 11,
    form: /(?<![\w.+-])[1-9]\d(?: ?\d{3}){3}(?![\w-]|\.\d)/g,
    fits: (found, before) => /steuer|idnr|tax/i.test(before) && isSteuerId(found.replaceAll(" ", "")),
  },
  {
    sort: "an Indian Aadhaar",
    leastDigits: 12,
    form: /(?<![\w.+-])(?<!\d )[2-9]\d{3} \d{4} \d{4}(?! ?\d|[\w-])/g,
    fits: (found) => verhoeff(found.replaceAll(" ", "")),
  },
  {
    sort: "a Swedish personnummer",
    leastDigits: 10,
    form: /(?<![\w.-])(?:19|20)?\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])[-+]\d{4}(?![\w-])/g,
    fits: (found) => luhn(found.replaceAll(/\D/g, "").slice(-10)),
  },
  {
    sort: "a Dutch BSN",
    leastDigits: 9,
    form: /(?<![\w.+-])\d{9}(?![\w-]|\.\d)/g,
    fits: (found, before) =>
      /bsn|burgerservice/i.test(before) && weighted(found, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 === 0,
  },
  {
    sort: "a British National Insurance number",
    leastDigits: 6,
    form: /(?<!\w)(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)/g,
    fits: (found, before) => found.includes(" ") || /insurance|nino|\bni\b/i.test(before),
  },
];

function isCpf(found: string): boolean {
  const digits = found.replaceAll(/\D/g, "");
  if (/^(\d)\1+$/.test(digits)) return false;
  const check = (length: number): number => {
    const weights = Array.from({ length }, (_, i) => length + 1 - i);
    return ((weighted(digits, weights) * 10) % 11) % 10;
  };
  return check(9) === Number(digits[9]) && check(10) === Number(digits[10]);
}

function isDni(found: string): boolean {
  const bare = found.replaceAll("-", "");
  const number = Number(bare.slice(0, -1).replace(/^[XYZ]/, (letter) => String("XYZ".indexOf(letter))));
  return "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23] === bare.at(-1);
}

/** What a letter or digit counts at odd places (D.M. 23.12.1976). */
const oddPlaces = [
  1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23,
];

function isCodiceFiscale(found: string): boolean {
  const values = Array.from(found, (letter) => Number.parseInt(letter, 36)).map((value) =>
    value > 9 ? value - 10 : value,
  );
  const sum = values
    .slice(0, 15)
    .reduce((all, value, i) => all + (i % 2 === 0 ? (oddPlaces[value] ?? 0) : value), 0);
  return sum % 26 === values[15];
}

/** Corsica's 2A and 2B count as 19 and 18. */
function isNir(found: string): boolean {
  const bare = found.replaceAll(" ", "").replace("2A", "19").replace("2B", "18");
  return /^\d{15}$/.test(bare) && 97 - mod97(bare.slice(0, 13)) === Number(bare.slice(13));
}

function isPesel(found: string): boolean {
  const sum = weighted(found, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]);
  const [month, day] = [Number(found.slice(2, 4)) % 20, Number(found.slice(4, 6))];
  return sum % 10 === 0 && month >= 1 && month <= 12 && day >= 1 && day <= 31;
}

/** ISO 7064, MOD 11,10. */
function isSteuerId(found: string): boolean {
  let product = 10;
  for (const letter of found.slice(0, 10)) {
    const sum = (Number(letter) + product) % 10;
    product = ((sum === 0 ? 10 : sum) * 2) % 11;
  }
  return (11 - product) % 10 === Number(found[10]);
}
