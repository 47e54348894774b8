/** Tables of words as lines of a terminal, and as Markdown. */
import type { CostTable } from "./cost-tables.ts";

/** Columns two blanks apart, heads above in two lines. */
export function textTables(tables: readonly CostTable[], method: readonly string[]): string {
  return [...tables.map(textTable), method.join("\n")].join("\n\n");
}

/** GitHub's tables. */
export function markdownTables(tables: readonly CostTable[], method: readonly string[]): string {
  return [...tables.map(markdownTable), method.join(" ")].join("\n\n");
}

function textTable({ title, columns, rows, notes }: CostTable): string {
  const widths = columns.map(({ head }, i) =>
    Math.max(...[...head, ...rows.map((row) => row[i] ?? "")].map((cell) => cell.length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, i) => {
        const width = widths[i] ?? 0;
        return columns[i]?.align === "left" ? cell.padEnd(width) : cell.padStart(width);
      })
      .join("  ")
      .trimEnd();
  const heads = [columns.map(({ head }) => head[0]), columns.map(({ head }) => head[1])];
  const rule = widths.map((width) => "─".repeat(width)).join("  ");
  return [title, "", ...heads.map(line), rule, ...rows.map(line), ...notes].join("\n");
}

function markdownTable({ title, columns, rows, notes }: CostTable): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(inOneCell).join(" | ")} |`;
  return [
    `**${title}**`,
    "",
    line(
      columns.map(({ head: [what, unit] }) => (unit === "" ? what : `${what}, ${unit}`.replace(/^, /, ""))),
    ),
    line(columns.map(({ align }) => (align === "left" ? "---" : "---:"))),
    ...rows.map(line),
    ...(notes.length === 0 ? [] : ["", notes.join(" ")]),
  ].join("\n");
}

function inOneCell(text: string): string {
  return text.replaceAll("|", "\\|").replace(/ +/g, " ");
}
