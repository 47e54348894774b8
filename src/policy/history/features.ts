/**
 * What is kept of a call's arguments, so that later calls can be compared with it: numbers, and true or false, as they
 * are; of text a keyed digest alone, which says whether two are the same and nothing else.
 */

/** By path (`args.amount`): a number, a truth value, or text that stands for what the argument said. */
export type Features = Readonly<Record<string, number | boolean | string>>;

/** @returns the same for the same text, and nothing anybody can read it from; begins with `~` */
export type DigestText = (text: string) => string;

const most = 64;

/** Of those paths; what isn't there, or is a list or an object, is left out. */
export function featuresOf(args: unknown, paths: ReadonlySet<string>, digest: DigestText): Features {
  const features: Record<string, number | boolean | string> = {};
  let count = 0;
  for (const path of paths) {
    const value = valueAt(args, path);
    const kept = typeof value === "string" ? digest(value) : value;
    if (typeof kept !== "boolean" && typeof kept !== "string" && !isExact(kept)) continue;
    features[path] = kept;
    if (++count === most) break;
  }
  return features;
}

function isExact(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
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
      Object.entries(read).filter(([, value]) => ["number", "boolean", "string"].includes(typeof value)),
    );
  } catch {
    return undefined;
  }
}
