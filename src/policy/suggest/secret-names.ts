/** Arguments whose names say that they are secrets: their values never stand in a rule. */

export function isSecret(name: string): boolean {
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .split(/[^a-z0-9]+/);
  return words.some((word) => secretWords.has(word)) || secretNames.test(words.join("_"));
}

const secretWords: ReadonlySet<string> = new Set(
  "apikey auth authorization bearer credential credentials cvc cvv jwt otp passcode passphrase passwd password passwords pin pwd secret secrets ssn token tokens totp".split(
    " ",
  ),
);
const secretNames = /(?:api|access|private|secret|signing|encryption)_key/;
