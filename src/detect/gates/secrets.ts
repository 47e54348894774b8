/** Keys, tokens and passwords of known forms. Rules of secretlint, on what a cheap look found; and a few forms it lacks. */
import { rules as libraryRules } from "@secretlint/secretlint-rule-preset-recommend";

import type { Finding } from "../../model/finding.ts";
import { type Budget, type Look, wholeBudget } from "./budget.ts";
import { gateFinding } from "./kinds.ts";
import type { Leaf } from "./leaves.ts";

/** The part of secretlint's rules that is used: `file` of these rules reports at once. */
interface Reported {
  readonly message: { readonly messageId: string };
  readonly range: readonly [number, number];
}
interface Context {
  readonly createTranslator: () => (id: string) => { readonly messageId: string };
  readonly report: (found: Reported) => void;
  readonly ignore: () => void;
}
interface Rule {
  readonly meta: { readonly id: string };
  readonly create: (context: Context, options: object) => { readonly file?: (source: object) => unknown };
}

/** Of files and their names, or of comments that switch rules off: texts have none. */
const skipped = /-(?:gcp|filter-comments)$/;
const reported: string[] = [];
const context: Context = {
  createTranslator: () => (messageId) => ({ messageId }),
  report: ({ message }) => {
    // Says who, not how to get in.
    if (message.messageId !== "AWSAccountID") reported.push(message.messageId);
  },
  ignore: () => undefined,
};
const untyped: unknown = libraryRules;
const scanners = (untyped as readonly Rule[])
  .filter(({ meta }) => !skipped.test(meta.id))
  .map((rule) => rule.create(context, { allows: [] }));

/** How each form that is looked for begins, or what is always in it. */
const signs =
  /-----BEGIN|A3T[A-Z0-9]|A(?:KIA|GPA|IDA|ROA|IPA|NPA|NVA|SIA)[A-Z0-9]|SECRET_?ACCESS|[Ss]ecret_?[Aa]ccess|x-oauth-basic|_authToken|npm_|xox[a-z]-|xapp-|hooks\.slack|:\/\/[^\s/@]{1,300}@|sk-|gsk_|hf_|lin_api_|ntn_|SG\.|shp(?:pa|ca|at|ss)_|[sr]k_(?:live|test)_|gh[pousr]_|github_pat_|glpat-|gl(?:c|sa)_|ops_ey|mongodb|mysql|postgres|hv[sbr]\.|vc[piark]_|vck_|dapi|dckr_pat_|figd_|cf(?:k|ut|at)_|tskey-|eyJ|AIza|ya29\.|[Bb]earer |[Pp]assw|PASSW/g;

/** What secretlint has no rule for. */
const ownForms = [
  ["a private key", /-----BEGIN[A-Z ]{0,30} PRIVATE KEY(?: BLOCK)?-----[\s\\nr]{0,8}[A-Za-z0-9+/=]{32}/],
  ["a JSON Web Token", /\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{16,4000}/],
  ["a Google API key", /\bAIza[\w-]{35}\b/],
  ["a Google OAuth token", /\bya29\.[\w-]{30,500}/],
  ["a bearer token", /\b[Bb]earer (?=[\w.~+/-]{0,40}\d)[\w.~+/-]{24,2000}/],
  [
    "a password",
    /\b[Pp]assw(?:or)?d["']?\s{0,3}(?:[:=]|is:?)\s{0,3}["'`]?(?=[^\s"'`]{0,30}[\d!$%^&*#])[^\s"'`<>{}[\]]{8,64}/,
  ],
] as const satisfies readonly (readonly [string, RegExp])[];

const before = 96;
const after = 4096;

export function secretsIn({ at, text }: Leaf, budget: Budget): Look {
  const { windows, isAll } = windowsOf(text, budget);
  const sorts = new Set(windows.flatMap((window) => sortsIn(window)));
  const found =
    sorts.size === 0 ? [] : [gateFinding("secret", at, `A secret stands there: ${[...sorts].join(", ")}.`)];
  return { found, isAll };
}

/** What forms of secrets a text holds, in words: `github token`; none if none is known. */
export function secretForms(text: string): readonly string[] {
  const { windows } = windowsOf(text, wholeBudget());
  return [...new Set(windows.flatMap((window) => sortsIn(window)))];
}

function windowsOf(
  text: string,
  budget: Budget,
): { readonly windows: readonly string[]; readonly isAll: boolean } {
  const windows: string[] = [];
  signs.lastIndex = 0;
  for (let sign = signs.exec(text); sign !== null; sign = signs.exec(text)) {
    if (budget.windows <= 0 || budget.windowChars <= 0) return { windows, isAll: false };
    const window = text.slice(Math.max(0, sign.index - before), sign.index + after);
    budget.windows -= 1;
    budget.windowChars -= window.length;
    windows.push(window);
    signs.lastIndex = sign.index + after / 2;
  }
  return { windows, isAll: true };
}

function sortsIn(window: string): readonly string[] {
  reported.length = 0;
  const source = { content: window, filePath: "text", ext: "", contentType: "text", hasBOM: false };
  for (const scanner of scanners) scanner.file?.(source);
  const own = ownForms.flatMap(([sort, form]) => (form.test(window) ? [sort] : []));
  return [...reported.map((id) => words(id)), ...own];
}

/** `GITHUB_TOKEN` and `PrivateKey` in words. */
function words(id: string): string {
  return id
    .replaceAll(/([a-z])([A-Z])/g, "$1 $2")
    .replaceAll("_", " ")
    .toLowerCase();
}

const secretName =
  /(?:^|[_-])(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?token|auth[_-]?token|private[_-]?key|client[_-]?secret|credentials?)$/i;

/** A value under a name that says so: told where the form of the value says nothing. */
export function namedSecret({ at, text, name = "" }: Leaf): readonly Finding[] {
  if (text.length < 6 || text.length > 4096) return [];
  if (!secretName.test(name.slice(-64).replaceAll(/([a-z])([A-Z])/g, "$1_$2"))) return [];
  return [gateFinding("secret.named", at, "A value is given under a name that says it is secret.")];
}
