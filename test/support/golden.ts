/** Tables of a docs page that a test makes: it compares them, or writes them with UPDATE_GOLDEN=1. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";

import { repositoryRoot } from "./repository.ts";

/** What stands between `<!-- golden: name -->` and `<!-- end: name -->` in that page. */
export function assertGolden(page: string, name: string, made: string): void {
  const file = `${repositoryRoot}${page}`;
  const [begin, end] = [`<!-- golden: ${name} -->\n`, `<!-- end: ${name} -->`];
  const text = readFileSync(file, "utf8");
  const [from, to] = [text.indexOf(begin), text.indexOf(end)];
  assert.ok(from >= 0 && to > from, `${page} has no place for ${name}`);
  const whole = `\n${made.trim()}\n\n`;
  if (process.env["UPDATE_GOLDEN"] === "1") {
    writeFileSync(file, text.slice(0, from + begin.length) + whole + text.slice(to));
    return;
  }
  assert.equal(
    text.slice(from + begin.length, to),
    whole,
    `${page} says something else; if what is made is right, run this test with UPDATE_GOLDEN=1`,
  );
}

/** Cells by row and column; what is said of a cell in full stands once below, under a number. */
export class GoldenTable {
  readonly #columns: readonly string[];
  readonly #corner: string;
  readonly #rows: string[] = [];
  readonly #notes: string[] = [];

  constructor(corner: string, columns: readonly string[]) {
    this.#corner = corner;
    this.#columns = columns;
  }

  /** @param cells a short text each, and what else is to be known of it */
  row(name: string, cells: readonly (readonly [text: string, note?: string])[]): void {
    const texts = cells.map(([text, note]) =>
      note === undefined ? text : `${text} (${this.#number(note)})`,
    );
    this.#rows.push(line([name, ...texts]));
  }

  toString(): string {
    const head = [line([this.#corner, ...this.#columns]), line(["---", ...this.#columns.map(() => "---")])];
    const notes = this.#notes.map((note, i) => `${i + 1}. ${note}`);
    return [...head, ...this.#rows, ...(notes.length > 0 ? ["", ...notes] : [])].join("\n");
  }

  #number(note: string): number {
    if (!this.#notes.includes(note)) this.#notes.push(note);
    return this.#notes.indexOf(note) + 1;
  }
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}
