/** All that a model reads of a tool's declaration: name, description, and every text of its schemas. */
import type { Leaf } from "../gates/leaves.ts";
import { leavesOf } from "../gates/leaves.ts";

export interface DeclaredTool {
  readonly server: string;
  readonly name: string;
  readonly description?: string;
  readonly inputSchema?: unknown;
  /** Title, annotations, output schema: whatever else the declaration has. */
  readonly rest?: unknown;
}

export interface DeclaredTexts {
  readonly texts: readonly Leaf[];
  /** Parameters, at every depth, with what they are said to be. */
  readonly parameters: readonly { readonly name: string; readonly says: string }[];
  readonly isAll: boolean;
}

/** A page of a declaration is long; one of a megabyte is no declaration. */
const limits = { chars: 64 * 1024, leaves: 4000 };

export function declaredTexts({ name, description, inputSchema, rest }: DeclaredTool): DeclaredTexts {
  const { leaves, isAll } = leavesOf({ name, description, inputSchema, rest }, "tool", limits);
  return { texts: leaves, parameters: parametersOf(inputSchema, 0), isAll };
}

const maxDepth = 16;
const maxParameters = 500;

function parametersOf(schema: unknown, depth: number): DeclaredTexts["parameters"] {
  if (typeof schema !== "object" || schema === null || depth > maxDepth) return [];
  const found: DeclaredTexts["parameters"][number][] = [];
  for (const [key, value] of Object.entries(schema).slice(0, maxParameters)) {
    if (key === "properties" && typeof value === "object" && value !== null) {
      for (const [name, property] of Object.entries(value).slice(0, maxParameters)) {
        found.push({ name, says: descriptionOf(property) });
      }
    }
    found.push(...parametersOf(value, depth + 1));
    if (found.length > maxParameters) break;
  }
  return found.slice(0, maxParameters);
}

function descriptionOf(property: unknown): string {
  const says: unknown =
    typeof property === "object" && property !== null && "description" in property
      ? property.description
      : "";
  return typeof says === "string" ? says.slice(0, 2000) : "";
}
