/** Whom the config lets into the control room by name, as what: it is asked at each login, whatever a login proves. */
import type { Login, WayIn } from "../../control/login.ts";
import { rowOf } from "../../kernel/row-of.ts";
import type { ControlSettings } from "../config/control.ts";

/** Whoever may open the state folder. */
export const operatorName = "operator:local";
const prefix = "person:";

/** @param name as the audit log has it. @returns undefined for whom the config doesn't name (any more) */
export function loginNamed(
  name: string,
  by: WayIn,
  { people }: Pick<ControlSettings, "people">,
): Login | undefined {
  if (name === operatorName) return { name, roles: new Set(["admin"]), by };
  const person = name.startsWith(prefix) ? rowOf(people, name.slice(prefix.length)) : undefined;
  return person && { name, roles: new Set(person.roles), by };
}

/** As the audit log has somebody whom the config names. */
export function personNamed(name: string): string {
  return prefix + name;
}
