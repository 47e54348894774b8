/** Secrets in configurations and command lines: what looks like one, and the same text without it. Nothing here returns a secret. */
import { secretForms } from "../../detect/gates/secrets.ts";

const hidden = "<secret>";

/** What is wrong with a value in the clear, in words; none if it may stand there. */
export function secretsOf(name: string | undefined, value: string): readonly string[] {
  const forms = secretForms(value);
  if (forms.length > 0) return forms;
  if (hasUserInfo(value)) return ["a password in a URL"];
  if (isSecretName(name) && isLiteral(value)) return [`a value of ${(name ?? "").slice(-64)}`];
  return withinText(value);
}

/** A command line that may be shown and kept: each value that looks like a secret is replaced by `<secret>`. */
export function withoutSecrets(command: readonly string[]): readonly string[] {
  return command.map((part, at) => (isSecretArgument(command, at) ? hidden : textWithoutSecrets(part)));
}

/** What an argument of a command shows. */
export function secretsOfArgument(command: readonly string[], at: number): readonly string[] {
  const part = command[at] ?? "";
  if (!isSecretArgument(command, at)) return secretsOf(undefined, part);
  const forms = secretForms(part);
  return forms.length > 0 ? forms : [`a value of ${(command[at - 1] ?? "").slice(-64)}`];
}

/** A URL that may be shown and kept: scheme, host, port and path alone; undefined if it isn't one of HTTP. */
export function plainUrl(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") return undefined;
  // What was taken out before is still out.
  const path = url.pathname
    .replaceAll(encodeURI(hidden), hidden)
    .split("/")
    .map((part) => (isRandom(part) || secretForms(part).length > 0 ? hidden : part))
    .join("/");
  return `${url.protocol}//${url.host}${path}`;
}

/** `--token xyz`: the name is the argument before. */
function isSecretArgument(command: readonly string[], at: number): boolean {
  const before = command[at - 1];
  const part = command[at] ?? "";
  return (
    before !== undefined &&
    /^--?[\w-]{1,64}$/.test(before) &&
    !part.startsWith("-") &&
    isSecretName(before) &&
    isLiteral(part)
  );
}

function textWithoutSecrets(text: string): string {
  let named = "";
  let from = 0;
  for (const { start, end } of secretPairs(text)) {
    named += text.slice(from, start) + hidden;
    from = end;
  }
  const plain = (named + text.slice(from))
    .replace(userInfo, `://${hidden}@`)
    .replace(urls, (url) => url.replaceAll(/[\w-]{32,2048}/g, (part) => (isRandom(part) ? hidden : part)));
  // A form that survived stands somewhere in the text: all of it is kept back.
  return secretForms(plain).length > 0 ? hidden : plain;
}

const userInfo = /:\/\/[^\s/@]{1,1024}@/g;
const urls = /https?:\/\/[^\s"'<>]{1,4096}/g;

function withinText(text: string): readonly string[] {
  const [named] = secretPairs(text);
  if (named !== undefined) return [`a value of ${named.name}`];
  const url = [...text.matchAll(urls)].some(([found]) => plainUrl(found)?.includes(hidden));
  return url ? ["a long random part of a URL"] : [];
}

/** Where the secret value of a pair stands. */
interface SecretPair {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/**
 * `NAME=value`, `"name": "value"`, `?name=value`, `--name value`, wherever they stand in a text; a name with `=` or `:`
 * that begins it goes to its end.
 */
function secretPairs(text: string): readonly SecretPair[] {
  const found: SecretPair[] = [];
  const names = /([\w.-]{1,64})(?:["']?[ \t]{0,4}(?:=|:(?!\/\/))[ \t]{0,4}|([ \t]{1,4}))/g;
  for (let match = names.exec(text); match !== null; match = names.exec(text)) {
    const [whole, name = "", space] = match;
    // Between words of a text a space means nothing; behind an option it does.
    const isNamed = isSecretName(name) && (space === undefined || name.startsWith("-"));
    if (!isNamed && (space !== undefined || !keyOfUrl.test(name))) continue;
    const start = match.index + whole.length;
    const value =
      match.index === 0 && space === undefined && isNamed ? text.slice(start) : valueAt(text, start);
    names.lastIndex = start + value.length;
    const bare = value.replaceAll(/^["']|["']$/g, "");
    if (isLiteral(bare) && (isNamed || isRandom(bare)))
      found.push({ name, start, end: start + value.length });
  }
  return found;
}

function valueAt(text: string, start: number): string {
  const value =
    /(?:(?:[Bb]earer|[Bb]asic|[Tt]oken)[ \t]{1,8})?(?:"[^"\n]{0,4096}"|'[^'\n]{0,4096}'|[^\s&"'#;,]{1,4096})/y;
  value.lastIndex = start;
  return value.exec(text)?.[0] ?? "";
}

/** `?key=`, `&sig=`: names that say nothing alone, with a value that does. */
const keyOfUrl = /^(?:key|sig|signature|code)$/i;

function hasUserInfo(text: string): boolean {
  return [...text.matchAll(userInfo)].some(([found]) => {
    const [, password] = found.slice(3, -1).split(":");
    return password !== undefined && isLiteral(password);
  });
}

const words = new Set(
  "password passwd passphrase pwd secret secrets token apikey apitoken credential credentials authorization bearer cookie pat jwt dsn".split(
    " ",
  ),
);
const pairsOfWords =
  /(?:^|_)(?:api|access|private|secret|auth|signing|encryption|account|master|service|admin|subscription)_?key$|(?:^|_)(?:connection|conn)_?(?:string|str)$|(?:^|_)basic_?auth$/;
/** A name that ends so is of something about a secret. */
const aboutIt = new Set(
  "file path dir url uri endpoint name id type limit count ttl expiry timeout env var header issuer store provider helper mode scope prefix".split(
    " ",
  ),
);

export function isSecretName(name: string | undefined): boolean {
  if (name === undefined) return false;
  const plain = name
    .slice(-128)
    .replaceAll(/([a-z])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "_")
    .replaceAll(/^_|_$/g, "");
  const parts = plain.split("_");
  const last = parts.at(-1) ?? "";
  if (aboutIt.has(last) || parts.includes("max") || parts.includes("min")) return false;
  return (
    parts.some((part) => words.has(part)) ||
    pairsOfWords.test(plain) ||
    /(?:password|token|secret)$/.test(plain)
  );
}

/** Whether a value stands there itself: no reference to one elsewhere, no placeholder, no path of a file. */
function isLiteral(value: string): boolean {
  const own = value
    .slice(0, 8192)
    // A default that stands in a reference is a value; it ends where the reference does.
    .replaceAll(/\$\{[^{}:]{1,256}:-([^{}]{0,4096})\}/g, "$1")
    .replaceAll(/\$\{[^{}]{1,512}\}|\{\{[^{}]{1,512}\}\}|%[A-Za-z_]\w{0,127}%/g, "")
    .replaceAll(/(?<=^|\s)\$[A-Za-z_]\w{0,127}(?=$|\s)|(?<=^|\s)\$\([^()]{1,512}\)/g, "")
    .replace(/^\s*(?:bearer|basic|token)(?=\s|$)/i, "")
    .trim();
  if (own.length < 4 || own.includes(hidden)) return false;
  return !isReferenceElsewhere.test(own) && !isPlaceholder.test(own) && !isPath.test(own);
}

const isReferenceElsewhere =
  /^(?:op|vault|keyring|keychain|file|env|bws|doppler|azure-keyvault|awssm):|^process\.env\./i;
const isPlaceholder =
  /^(?:<[^<>]{0,256}>|\[[^[\]]{0,256}\]|[x*.…-]+|(?:your|insert|replace|enter|changeme|change[_-]me|todo)(?:[\s_-][\w\s.-]{0,256})?|true|false|null|none|prompt|required|optional|oauth2?|basic|\d{1,6})$/i;
const isPath =
  /^(?:~|\.{1,2}|[A-Za-z]:|\/(?:home|etc|usr|var|opt|run|tmp|root|Users|mnt|srv))[\\/][^\n]{0,1024}$/;

/** Long, and of letters and digits as chance mixes them; a UUID is none. */
function isRandom(text: string): boolean {
  if (text.length < 24 || text.length > 4096 || !/^[\w=+~-]+$/.test(text)) return false;
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) return false;
  const digits = text.replaceAll(/\D/g, "").length;
  return digits >= 3 && digits < text.length - 3;
}
