/**
 * What servers of either era may ask a client while its call is under way, and what it must have declared for that
 * (MCP 2025-11-25 and 2026-07-28: elicitation, sampling, roots).
 */
import { type Json, memberOf } from "../wire/values.ts";

/** Of a question, what its needs depend on. */
export interface Asks {
  /** A page is to be opened (`mode: url`), not a form to be filled in. */
  readonly isPage: boolean;
  readonly usesTools: boolean;
}

/** Paths in the client's capabilities. */
export type Needs = readonly (readonly string[])[];

const needs: ReadonlyMap<string, (asks: Asks) => Needs> = new Map<string, (asks: Asks) => Needs>([
  ["elicitation/create", ({ isPage }) => [["elicitation", isPage ? "url" : "form"]]],
  [
    "sampling/createMessage",
    ({ usesTools }) => [["sampling"], ...(usesTools ? [["sampling", "tools"]] : [])],
  ],
  ["roots/list", () => [["roots"]]],
]);

/** Undefined if no client is asked that. */
export function needsOf(method: string, asks: Asks): Needs | undefined {
  return needs.get(method)?.(asks);
}

/** What the client would have had to declare, and didn't; undefined if it may be asked. */
export function undeclared(needed: Needs, capabilities: Json): string | undefined {
  return needed.find((path) => !isDeclared(capabilities, path))?.join(".");
}

function isDeclared(capabilities: Json, [name = "", part]: readonly string[]): boolean {
  const found = memberOf(capabilities, name);
  if (typeof found !== "object" || found === null) return false;
  // MCP 2025-11-25 elicitation: who names no mode means forms.
  if (part === undefined || (part === "form" && memberOf(found, "url") === undefined)) return true;
  const inner = memberOf(found, part);
  return typeof inner === "object" && inner !== null;
}
