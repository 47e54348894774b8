/** What a `redact` rule takes out: JSON pointers (RFC 6901) in which `*` stands for every member or element. */

export interface Redaction {
  readonly arguments: readonly Pointer[];
  readonly answer: readonly Pointer[];
  readonly replaceBy: string;
}

/** The steps of a pointer; `any` for `*`. */
export type Pointer = readonly (string | typeof any)[];

const any = Symbol("any member or element");

/** Levels: as deep as messages go. */
const maxSteps = 64;

export function isPointerPattern(text: string): boolean {
  const steps = text.split("/");
  return steps.length > 1 && steps[0] === "" && steps.length <= maxSteps + 1 && !/~(?![01])/.test(text);
}

export function readPointer(text: string): Pointer {
  return text
    .split("/")
    .slice(1)
    .map((step) => (step === "*" ? any : step.replaceAll("~1", "/").replaceAll("~0", "~")));
}

/** The value with `replaceBy` where the pointers lead, and whether they led anywhere; what isn't touched is shared. */
export function redacted(
  value: unknown,
  pointers: readonly Pointer[],
  replaceBy: string,
): { readonly value: unknown; readonly isChanged: boolean } {
  let [now, isChanged] = [value, false];
  for (const pointer of pointers) {
    const next = without(now, pointer, replaceBy);
    if (next !== now) [now, isChanged] = [next, true];
  }
  return { value: now, isChanged };
}

function without(value: unknown, [step, ...rest]: Pointer, replaceBy: string): unknown {
  if (step === undefined) return replaceBy;
  if (typeof value !== "object" || value === null) return value;
  const names = Object.keys(value).filter((name) => step === any || name === step);
  const old: Readonly<Record<string, unknown>> = value as Record<string, unknown>;
  const changed = names.flatMap((name) => {
    const next = without(old[name], rest, replaceBy);
    return next === old[name] ? [] : [[name, next] as const];
  });
  if (changed.length === 0) return value;
  const copy = Array.isArray(value) ? [...(value as unknown[])] : { ...old };
  for (const [name, next] of changed)
    Object.defineProperty(copy, name, { value: next, enumerable: true, configurable: true, writable: true });
  return copy;
}
