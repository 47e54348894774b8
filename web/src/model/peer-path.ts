/** How the stream of a link between peers goes, as the API has it. */
import { pathInWords, pathKinds } from "../../../src/model/peer-path.ts";
import { fields, text } from "./fields.ts";

/** Such as "directly"; empty of what is no peer. */
export function pathText(value: unknown): string {
  const { kind, why } = fields(value);
  const known = pathKinds.find((each) => each === kind);
  return known === undefined ? "" : pathInWords({ kind: known, why: text(why) || null });
}
