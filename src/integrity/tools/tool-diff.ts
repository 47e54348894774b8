/** What differs between two declarations of a tool, member by member, as a person reads it. */
import { utf8 } from "../../kernel/bytes.ts";
import { canonicalJson } from "../../wire/canonical-json.ts";
import { everyMember, type Place, scanJson } from "../../wire/json-scan.ts";
import { revealed } from "../../wire/hidden-text.ts";
import { lineDiff, type DiffLine } from "./line-diff.ts";

/** The members of a declaration that have a meaning of their own; the rest is `other`. */
/** By its name a declaration is known, so that one never changes. */
export type DeclarationField = "name" | (typeof changeableFields)[number];

export const changeableFields = [
  "title",
  "description",
  "inputSchema",
  "outputSchema",
  "annotations",
  "trust",
  "version",
  "icons",
  "other",
] as const;

const fields = ["name", ...changeableFields] as const;

/**
 * What a change of doesn't count as material. SEP-3140 names inputSchema, description, annotations and trust as
 * material, title and icons as not; what it doesn't name (results' schema, pages, members of extensions) is material
 * here: it too tells a model or a client what to do. A version alone says nothing that isn't seen elsewhere.
 */
const immaterial: ReadonlySet<DeclarationField> = new Set(["title", "icons", "version"]);

interface FieldChange {
  readonly field: DeclarationField;
  /** The member's own name. */
  readonly member: string;
  readonly isMaterial: boolean;
  /** With hidden text revealed. */
  readonly lines: readonly DiffLine[];
}

export interface ToolDiff {
  readonly changes: readonly FieldChange[];
  readonly isMaterial: boolean;
}

/** @param before JSON text of a declaration as `readToolList` gives it; undefined: there was none, or is none after */
export function diffTools(before: string | undefined, after: string | undefined): ToolDiff {
  const [old, now] = [membersOf(before), membersOf(after)];
  const changes = changedMembers(old, now).map((member): FieldChange => {
    const field = fieldOf(member);
    return {
      field,
      member,
      isMaterial: !immaterial.has(field),
      lines: linesOf(old.get(member), now.get(member)),
    };
  });
  return { changes, isMaterial: changes.some(({ isMaterial }) => isMaterial) };
}

/** Which fields differ, each once: what rules are about. */
export function changedFields(before: string, after: string): readonly DeclarationField[] {
  const changed = new Set(changedMembers(membersOf(before), membersOf(after)).map(fieldOf));
  return fields.filter((field) => changed.has(field));
}

/** As `diff -u` prints it, each changed member under a line of its own; safe on a terminal. */
export function writeToolDiff(
  { changes }: ToolDiff,
  headings: { readonly from: string; readonly to: string },
): string {
  const parts = changes.map(({ member, isMaterial, lines }) => {
    const heading = `@@ ${revealed(member)}${isMaterial ? "" : " (not material)"} @@`;
    return [heading, ...lines.map(writtenLine)].join("\n");
  });
  return `${[`--- ${headings.from}`, `+++ ${headings.to}`, ...parts].join("\n")}\n`;
}

/**
 * A declaration as text, member by member in a fixed order, so that two of them can be laid side by side; hidden text
 * is shown as what it is.
 * @param declaration JSON text as `readToolList` gives it
 */
export function writeDeclaration(declaration: string): string {
  const members = membersOf(declaration);
  const parts = changedMembers(new Map(), members).flatMap((member) => {
    const lines = readable(members.get(member));
    return [`${revealed(member)}:`, ...lines.map((line) => `  ${line}`)];
  });
  return parts.join("\n");
}

const signs = { same: " ", removed: "-", added: "+" } as const;

function writtenLine(line: DiffLine): string {
  return line.kind === "skipped" ? ` … ${line.lines} lines as before` : signs[line.kind] + line.text;
}

/** Members by name, each in its canonical form: another order or spelling is no difference. */
type Members = ReadonlyMap<string, string>;

function membersOf(declaration: string | undefined): Members {
  const json = utf8(declaration ?? "{}");
  const places = scanJson(json, { [everyMember]: true }).members ?? new Map<string, Place>();
  const members = [...places].map(([name, { start, end }]): [string, string] => [
    name,
    canonicalJson(json.subarray(start, end)) ?? "",
  ]);
  return new Map(members.filter(([name]) => name !== "contentHash"));
}

/** In the order of the table, then as they stand. */
function changedMembers(before: Members, after: Members): readonly string[] {
  const names = [...new Set([...before.keys(), ...after.keys()])];
  const rank = (name: string): number => fields.indexOf(fieldOf(name));
  return names.filter((name) => before.get(name) !== after.get(name)).toSorted((a, b) => rank(a) - rank(b));
}

function fieldOf(member: string): DeclarationField {
  return fields.find((field) => field === member) ?? "other";
}

function linesOf(old: string | undefined, now: string | undefined): readonly DiffLine[] {
  const lines = lineDiff(readable(old), readable(now));
  // A number beyond what a double holds reads the same in both: then they are shown as they are written.
  return lines.length > 0 ? lines : lineDiff([old ?? ""], [now ?? ""]);
}

/** A text in lines and sentences, anything else as indented JSON. */
function readable(json: string | undefined): readonly string[] {
  if (json === undefined) return [];
  const value: unknown = JSON.parse(json);
  if (typeof value !== "string") return revealed(JSON.stringify(value, undefined, 2)).split("\n");
  return revealed(value)
    .split(/\r?\n/)
    .flatMap((line) => line.split(/(?<=[.!?;:]) (?=\S)/));
}
