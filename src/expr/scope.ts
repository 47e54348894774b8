/** What is known while an expression is compiled: the names in force, and what was read so far. */
import type { Code } from "./code.ts";
import type { Recollection } from "./recall.ts";
import type { Node } from "./syntax.ts";
import type { TypeSpec } from "./type-spec.ts";

export interface Scope {
  /** The code of a node whose value is used. @throws Wrong */
  readonly compile: (node: Node, scope: Scope) => Code;
  /** The code of a node of which perhaps only a member is used. @throws Wrong */
  readonly compilePart: (node: Node, scope: Scope) => Code;
  readonly variables: Readonly<Record<string, TypeSpec>>;
  /** Around this place, the outermost first. */
  readonly loops: readonly Loop[];
  /** Grows while compiling: the code of each path that is read outside of loops, undefined inside. */
  readonly reads: Map<string, Code | undefined>;
  /** Grows while compiling: what is asked of calls that came before. */
  readonly recalls: Recollection[];
}

interface Loop {
  readonly name: string;
  readonly type: TypeSpec;
  /** Of an element, where the loop runs over a path. */
  readonly path: string | undefined;
}

/** Notes what is read, once nothing more is selected from it. */
export function noted(code: Code, scope: Scope): Code {
  const { path } = code;
  if (path !== undefined && !scope.reads.has(path.text)) {
    scope.reads.set(path.text, path.inLoop ? undefined : code);
  }
  return code;
}
