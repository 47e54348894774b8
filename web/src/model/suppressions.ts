/** What people have said is harmless, as the API has it. */
import { revealed } from "../../../src/wire/hidden-text.ts";
import { items, number, text } from "./fields.ts";
import { shown } from "./names.ts";

export interface Suppression {
  readonly id: string;
  readonly kind: string;
  readonly place: string;
  readonly because: string;
  readonly by: string;
  readonly until: number;
}

export function readSuppressions(value: unknown): readonly Suppression[] {
  return items(value).map((each) => ({
    id: text(each["id"]),
    kind: revealed(text(each["kind"])),
    place: shown(
      text(each["source"]) || [text(each["caller"]), text(each["tool"])].filter(Boolean).join(" at "),
    ),
    because: revealed(text(each["because"])),
    by: revealed(text(each["by"])),
    until: number(each["untilUnixMs"]),
  }));
}
