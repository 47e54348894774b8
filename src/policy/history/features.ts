/**
 * What is kept of a call's arguments, so that later calls can be compared with it: numbers, and true or false, as they
 * are; of text a keyed digest alone, which says whether two are the same and nothing else.
 */

/**
 * By path (`args.amount`): a number, a truth value, null for what wasn't there, or a text that begins with `~` and stands
 * for one, or is `?` for anything else.
 */
export type Features = Readonly<Record<string, number | boolean | string | null>>;

/** What was there and isn't kept: a list, an object, null, a number that JSON can't say exactly. */
export const notKept = "?";

/** @returns the same for the same text, and nothing anybody can read it from; begins with `~` */
export type DigestText = (text: string) => string;

/** Of those paths, in their order. */
export function featuresOf(args: unknown, paths: Iterable<string>, digest: DigestText): Features {
  const features: Record<string, number | boolean | string | null> = {};
  for (const path of paths) features[path] = featureOf(valueAt(args, path), digest);
  return features;
}

function featureOf(value: unknown, digest: DigestText): number | boolean | string | null {
  if (value === undefined) return null;
  if (typeof value === "string") return digest(value);
  if (typeof value === "boolean") return value;
  const isExact = typeof value === "number" && Number.isFinite(value) && !isRounded(value);
  return isExact ? value : notKept;
}

/** Beyond 2^53 JSON's digits are lost already. */
function isRounded(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value);
}

function valueAt(args: unknown, path: string): unknown {
  let at = args;
  for (const name of path.split(".").slice(1)) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Readonly<Record<string, unknown>>)[name];
  }
  return at;
}

/** As it stands in an entry: text, so that it can be sealed. */
export function formatFeatures(features: Features): string {
  return JSON.stringify(features);
}

/** @returns undefined for what can't be read, such as what was cut or is sealed */
export function readFeatures(text: string): Features | undefined {
  try {
    const read: unknown = JSON.parse(text);
    if (typeof read !== "object" || read === null || Array.isArray(read)) return undefined;
    return Object.fromEntries(
      Object.entries(read).filter(
        ([, value]) => value === null || ["number", "boolean", "string"].includes(typeof value),
      ),
    );
  } catch {
    return undefined;
  }
}
