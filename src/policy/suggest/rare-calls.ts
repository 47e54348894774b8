/** Calls with a value that is rare where values repeat: a recipient that came once among hundreds. */
import { isSecret } from "./secret-names.ts";
import type { SeenCall } from "./seen-call.ts";
import { isMoment, isProse } from "./string-clause.ts";

/** Of fewer calls nothing can be called rare. */
const enough = 20;
/** As many different values as a thing that is chosen has, and how often each comes on average. */
const maxChoices = 40;
const often = 3;
/** A value that comes no oftener than this, in numbers and as a share of the calls, is rare. */
const rareTimes = 2;
const rareShare = 0.02;
/** However many calls there are: what came oftener than this is usual. */
const mostRareTimes = 10;
/** If more calls than this are odd, being odd is usual here; and people look at so many. */
const mostRare = 0.25;
const mostRareCalls = 200;
/** The same of one argument: then it isn't chosen from a few, such as a date. */
const mostRareOfOne = 0.15;
const maxValueChars = 120;

export function rareCalls(calls: readonly SeenCall[]): readonly SeenCall[] {
  if (calls.length < enough) return [];
  const names = new Set(calls.flatMap(({ args }) => Object.keys(args)));
  const rare = new Set<SeenCall>();
  for (const name of names) {
    if (isSecret(name)) continue;
    for (const call of rareOf(name, calls)) rare.add(call);
  }
  return rare.size > Math.min(mostRareCalls, calls.length * mostRare)
    ? []
    : calls.filter((call) => rare.has(call));
}

function rareOf(name: string, calls: readonly SeenCall[]): readonly SeenCall[] {
  const given = calls.flatMap((call) =>
    Object.hasOwn(call.args, name) ? choicesOf(call.args[name]).map((choice) => ({ call, choice })) : [],
  );
  const byChoice = Map.groupBy(given, ({ choice }) => choice);
  const isChosen =
    byChoice.size <= maxChoices &&
    given.length >= often * byChoice.size &&
    given.every(({ choice }) => choice.length <= maxValueChars) &&
    ![...byChoice.keys()].some((choice) => isProse(choice) || isMoment(choice.slice(1)));
  if (!isChosen) return [];
  const most = Math.min(mostRareTimes, Math.max(rareTimes, given.length * rareShare));
  const rare = [...byChoice.values()].flatMap((own) =>
    own.length > most ? [] : own.map(({ call }) => call),
  );
  return rare.length > calls.length * mostRareOfOne ? [] : rare;
}

/** The texts, and what stands where one was expected; numbers have ranges. */
function choicesOf(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => (typeof item === "string" ? [`"${item}`] : []));
  if (typeof value === "number" || typeof value === "boolean") return [];
  return [typeof value === "string" ? `"${value}` : typeof value];
}
