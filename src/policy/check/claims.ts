/** Claims about single things, and whether all of a list can be true at once. */

export type Constant =
  | { readonly kind: "number" | "duration" | "timestamp"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "bool"; readonly value: boolean };

/** What a number can be at all. */
export interface Range {
  readonly isWhole: boolean;
  readonly min: number;
  readonly max: number;
  /** In words, where values beyond it are a slip. */
  readonly says?: string;
}

/** What is known of one thing: that it compares like this with these values, of which only `in` has several. */
export interface Comparison {
  readonly kind: "comparison";
  readonly key: string;
  readonly op: "<" | "<=" | ">" | ">=" | "==" | "!=" | "in" | "not in";
  readonly values: readonly Constant[];
  readonly range?: Range;
}

/** Something that is true or false, whatever it is; the same key is the same thing. */
interface Opaque {
  readonly kind: "claim";
  readonly key: string;
  readonly is: boolean;
}

export type Claim = Comparison | Opaque;

/** Whether they don't exclude each other, as far as can be told. */
export function isPossible(claims: readonly Claim[]): boolean {
  const opaque = new Map<string, boolean>();
  const compared = new Map<string, Comparison[]>();
  for (const claim of claims) {
    if (claim.kind === "claim") {
      if ((opaque.get(claim.key) ?? claim.is) !== claim.is) return false;
      opaque.set(claim.key, claim.is);
      continue;
    }
    // Values of other kinds are compared in claims of their own: what a mixture means is not decided here.
    const key = `${claim.values[0]?.kind} ${claim.key}`;
    compared.set(key, [...(compared.get(key) ?? []), claim]);
  }
  return [...compared.values()].every(isPossibleTogether);
}

/** Of comparisons of one thing with values of one kind. */
function isPossibleTogether(claims: readonly Comparison[]): boolean {
  const allowed = claims.filter(({ op }) => op === "==" || op === "in");
  const [first] = allowed;
  if (first !== undefined) {
    return first.values.some(({ value }) => claims.every((claim) => holdsOf(value, claim)));
  }
  // Null is unequal to both truths, and strings never end.
  const kind = claims[0]?.values[0]?.kind;
  return kind === "string" || kind === "bool" || isIntervalPossible(claims);
}

/** How strings are ordered isn't judged here. */
function holdsOf(value: Constant["value"], { op, values, range }: Comparison): boolean {
  if (range !== undefined && !isInRange(value, range)) return false;
  if (op === "==" || op === "in") return values.some((each) => each.value === value);
  if (op === "!=" || op === "not in") return values.every((each) => each.value !== value);
  const [{ value: bound } = { value: 0 }] = values;
  return typeof value === "string" || orders[op](Number(value), Number(bound));
}

const orders = {
  "<": (value: number, bound: number) => value < bound,
  "<=": (value: number, bound: number) => value <= bound,
  ">": (value: number, bound: number) => value > bound,
  ">=": (value: number, bound: number) => value >= bound,
} as const;

function isInRange(value: Constant["value"], { isWhole, min, max }: Range): boolean {
  return typeof value === "number" && value >= min && value <= max && (!isWhole || Number.isInteger(value));
}

/** So many whole numbers are tried one by one. */
const maxTried = 100;

function isIntervalPossible(claims: readonly Comparison[]): boolean {
  const range = claims.find((claim) => claim.range !== undefined)?.range;
  const bounds = (...ops: readonly Comparison["op"][]): readonly number[] =>
    claims.filter(({ op }) => ops.includes(op)).map(({ values: [bound] }) => Number(bound?.value));
  const low = Math.max(range?.min ?? -Infinity, ...bounds(">", ">="));
  const high = Math.min(range?.max ?? Infinity, ...bounds("<", "<="));
  if (low > high) return false;
  if (low === high) return claims.every((claim) => holdsOf(low, claim));
  if (range?.isWhole !== true || high - low > maxTried) return true;
  const first = Math.ceil(low);
  return Array.from({ length: Math.floor(high) - first + 1 }, (_, at) => first + at).some((value) =>
    claims.every((claim) => holdsOf(value, claim)),
  );
}
