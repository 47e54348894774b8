/** A row of CoSAI's table: one subject, and what each level asks of it. */
import type { Control, Grade, Level, ShownBy } from "../../control.ts";

interface Cell extends ShownBy {
  readonly binding: Grade["binding"];
  readonly asks: string;
}

type Cells = Partial<Readonly<Record<Level, Cell>>>;

const levels = [1, 2, 3, 4] as const satisfies readonly Level[];

/** @param id without its level */
export type Row = (id: string, title: string, cells: Cells) => readonly Control[];

export function rowsOf(dimension: string): Row {
  return (id, title, cells) =>
    levels.flatMap((level) => {
      const cell = cells[level];
      if (cell === undefined) return [];
      const { binding, asks, ...shownBy } = cell;
      return [{ id: `${id}.L${level}`, title, asks, grade: { dimension, level, binding }, shownBy }];
    });
}

export function must(asks: string, shownBy: ShownBy): Cell {
  return { binding: "must", asks, ...shownBy };
}

export function should(asks: string, shownBy: ShownBy): Cell {
  return { binding: "should", asks, ...shownBy };
}

/** What isn't done here, whoever else may do it. */
export function lacking(lacks: string): ShownBy {
  return { events: [], lacks };
}
