/** Files of playbooks: what is wrong with one is told with its line and what to do; a file's own replace the shipped ones. */
import path from "node:path";

import type { z } from "zod";

import { Refusal } from "../../kernel/refusal.ts";
import { compilePlaybook, type Playbook } from "../../respond/playbook.ts";
import { type PlaybookDocument, playbookFileSchema } from "../../respond/playbook-schema.ts";
import { readYaml, withoutAliases } from "../policy/rule-file.ts";
import { shippedPlaybooks } from "../shipped-playbooks.ts";

/** A playbook, where it stands, and whether it runs. */
export interface PlaybookInFile {
  readonly document: PlaybookDocument;
  /** Absent of one that is off. */
  readonly playbook?: Playbook;
  readonly file: string;
  readonly isShipped: boolean;
}

export interface Playbooks {
  readonly all: readonly PlaybookInFile[];
  /** Those that run, in order. */
  readonly inForce: readonly Playbook[];
  /** An operator's own ask for the risk or the findings of calls. */
  readonly watchesCalls: boolean;
  /** Some ask how many calls there are. */
  readonly countsCalls: boolean;
  /** The operator's own file, if there is one. */
  readonly file?: string;
}

export interface PlaybookMistake {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** @param said `response.playbooks` @throws Refusal `bad_config` that tells every mistake with its line */
export function loadPlaybooks(said: string, folder: string): Playbooks {
  if (said === "off") return playbooksOf([]);
  const shipped = mustBeRight(readPlaybooks(shippedPlaybooks));
  if (said === "shipped") return playbooksOf(shipped);
  const file = path.resolve(folder, said);
  const own = mustBeRight(readPlaybooks(file));
  const names = new Set(own.map(({ document }) => document.name));
  return { ...playbooksOf([...own, ...shipped.filter(({ document }) => !names.has(document.name))]), file };
}

function playbooksOf(all: readonly PlaybookInFile[]): Playbooks {
  return {
    all,
    inForce: all.flatMap(({ playbook }) => playbook ?? []),
    countsCalls: all.some(
      ({ playbook, document: { on } }) => playbook !== undefined && on.rate !== undefined,
    ),
    watchesCalls: all.some(
      ({ isShipped, playbook, document: { on } }) =>
        !isShipped && playbook !== undefined && (on.risk !== undefined || on.findings !== undefined),
    ),
  };
}

interface Read {
  readonly playbooks: readonly PlaybookInFile[];
  readonly mistakes: readonly PlaybookMistake[];
}

function mustBeRight({ playbooks, mistakes }: Read): readonly PlaybookInFile[] {
  if (mistakes.length === 0) return playbooks;
  const [first] = mistakes;
  const lines = mistakes.map(({ line, column, message }) => `  line ${line}, column ${column}: ${message}`);
  throw new Refusal("bad_config", `${first?.file ?? ""} isn't right:\n${lines.join("\n")}`);
}

/** @throws Refusal `bad_config` if it can't be read as YAML at all */
export function readPlaybooks(file: string): Read {
  const { document, lines } = readYaml(file);
  const value = withoutAliases(file, (options) => document.toJS(options) as unknown);
  const placed = (at: readonly PropertyKey[], message: string): PlaybookMistake => {
    const { line, col } = lines.linePos(startAt(document, at));
    return { file, line, column: col, message };
  };
  const result = playbookFileSchema.safeParse(value ?? {});
  if (!result.success)
    return { playbooks: [], mistakes: result.error.issues.map((issue) => told(issue, placed)) };
  const isShipped = file === shippedPlaybooks;
  const mistakes: PlaybookMistake[] = [];
  const playbooks = result.data.playbooks.map((each, index): PlaybookInFile => {
    const at = ["playbooks", index];
    if (result.data.playbooks.findIndex(({ name }) => name === each.name) < index)
      mistakes.push(
        placed([...at, "name"], `there is another playbook "${each.name}"; give it another name`),
      );
    const { mode } = each;
    const made = compilePlaybook({ ...each, mode: mode === "off" ? "dry_run" : mode });
    if (made.kind === "mistake") {
      const { line, column, message, suggestion } = made;
      const hint = suggestion === undefined ? "" : `; did you mean ${suggestion}?`;
      mistakes.push(
        placed([...at, "when"], `the condition (its line ${line}, column ${column}): ${message}${hint}`),
      );
      return { document: each, file, isShipped };
    }
    return { document: each, file, isShipped, ...(mode !== "off" && { playbook: made.playbook }) };
  });
  return { playbooks, mistakes };
}

function told(
  issue: z.core.$ZodIssue,
  placed: (at: readonly PropertyKey[], message: string) => PlaybookMistake,
): PlaybookMistake {
  const where = issue.path.slice(2).join(".");
  return placed(issue.path, where === "" ? issue.message : `${where}: ${issue.message}`);
}

/** Where the innermost part of that path begins that is there. */
function startAt(document: ReturnType<typeof readYaml>["document"], at: readonly PropertyKey[]): number {
  for (let length = at.length; length > 0; length -= 1) {
    const node: unknown = document.getIn(at.slice(0, length), true);
    if (typeof node !== "object" || node === null || !("range" in node)) continue;
    const { range } = node;
    if (Array.isArray(range) && typeof range[0] === "number") return range[0];
  }
  return 0;
}
