/** What a `redact` rule takes out: JSON pointers (RFC 6901) in which `*` stands for every member or element. */
import { concat, utf8 } from "../kernel/bytes.ts";
import {
  everyMember,
  type Place,
  scanAt,
  scanElements,
  scanJson,
  type Shape,
  tolerantScanLimits,
} from "../wire/json-scan.ts";

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

/** What one rule takes out of some JSON. */
export interface Taking {
  readonly pointers: readonly Pointer[];
  readonly replaceBy: string;
}

/** A value's place in JSON text, and what stands there instead. */
export interface Edit {
  readonly place: Place;
  readonly text: Uint8Array;
}

/** The JSON with something else where the pointers lead; the very same bytes if they lead nowhere. @throws Refusal `bad_json` */
export function redactedJson(json: Uint8Array, takings: readonly Taking[]): Uint8Array {
  return edited(json, editsIn(json, scanJson(json, undefined, tolerantScanLimits), takings));
}

/** Where the pointers lead within the value at `place`, and what is to stand there. */
export function editsIn(json: Uint8Array, place: Place, takings: readonly Taking[]): readonly Edit[] {
  return takings.flatMap(({ pointers, replaceBy }) => {
    const text = utf8(JSON.stringify(replaceBy));
    return pointers.flatMap((pointer) =>
      placesIn(json, place, pointer).map((found) => ({ place: found, text })),
    );
  });
}

/** Everything else stays as it was written: numbers keep their digits. Of edits within each other, the outer one counts. */
export function edited(json: Uint8Array, edits: readonly Edit[]): Uint8Array {
  if (edits.length === 0) return json;
  const pieces: Uint8Array[] = [];
  let done = 0;
  const outerFirst = (a: Edit, b: Edit): number => a.place.start - b.place.start || b.place.end - a.place.end;
  for (const { place, text } of edits.toSorted(outerFirst)) {
    if (place.start < done) continue;
    pieces.push(json.subarray(done, place.start), text);
    done = place.end;
  }
  return concat([...pieces, json.subarray(done)]);
}

function placesIn(json: Uint8Array, place: Place, [step, ...rest]: Pointer): readonly Place[] {
  if (step === undefined) return [place];
  return steppedInto(json, place, step).flatMap((next) => placesIn(json, next, rest));
}

/** A member that comes more than once is all of them: readers differ in which one they take. */
function steppedInto(json: Uint8Array, place: Place, step: Pointer[number]): readonly Place[] {
  if (json[place.start] === openBracket) {
    const elements = scanElements(json, place, undefined, tolerantScanLimits);
    return step === any ? elements : elements.filter((_, i) => String(i) === step);
  }
  if (json[place.start] !== openBrace) return [];
  const shape: Shape = step === any ? { [everyMember]: true } : { [step]: true };
  const { members = new Map<string, Place>() } = scanAt(json, place, shape, tolerantScanLimits);
  const found: Place[] = [];
  for (const last of members.values())
    for (let each: Place | undefined = last; each !== undefined; each = each.earlier) found.push(each);
  return found;
}

const openBracket = 0x5b;
const openBrace = 0x7b;
