/** A table that scrolls within itself and sorts by the columns that say how. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";

import { sorted, type Sorting } from "../model/sorting.ts";
import { Icon } from "./icon.tsx";

export interface Column<Row> {
  readonly name: string;
  readonly head: ComponentChildren;
  readonly cell: (row: Row) => ComponentChildren;
  readonly isNumber?: boolean | undefined;
  /** Names the row; one per table. */
  readonly isMain?: boolean | undefined;
  readonly sortBy?: ((row: Row) => string | number) | undefined;
  /** Takes what room there is, and is cut where there is none. */
  readonly isWide?: boolean | undefined;
  /** Left out on a phone. */
  readonly isExtra?: boolean | undefined;
}

interface TableProps<Row> {
  /** Says what it lists, for those who don't see it. */
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  /** The row that is looked at. */
  readonly isCurrent?: ((row: Row) => boolean) | undefined;
  /** A click anywhere in the row; the main cell holds a link or button that does the same for the keyboard. */
  readonly onOpen?: ((row: Row) => void) | undefined;
  readonly empty?: ComponentChildren;
  readonly sorting?: Sorting | undefined;
}

export function Table<Row>(props: TableProps<Row>): JSX.Element {
  const { label, columns, rows, empty } = props;
  const sorting = useSignal<Sorting | undefined>(props.sorting);
  const by = columns.find(({ name }) => name === sorting.value?.by)?.sortBy;
  const shown =
    by === undefined || sorting.value === undefined ? rows : sorted(rows, by, sorting.value.isDown);
  if (rows.length === 0 && empty !== undefined) return <>{empty}</>;
  return (
    <div class="table-scroll" role="group" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map((column) => (
              <Head
                key={column.name}
                column={column}
                sorting={sorting.value}
                onSort={(next) => (sorting.value = next)}
              />
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <Row key={props.keyOf(row)} row={row} table={props} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Head<Row>({
  column,
  sorting,
  onSort,
}: {
  readonly column: Column<Row>;
  readonly sorting: Sorting | undefined;
  readonly onSort: (sorting: Sorting) => void;
}): JSX.Element {
  const { name, head, sortBy } = column;
  const isBy = sorting?.by === name;
  const isDown = isBy && sorting.isDown;
  return (
    <th
      scope="col"
      class={classes(column)}
      aria-sort={isBy ? (isDown ? "descending" : "ascending") : undefined}
    >
      {sortBy === undefined ? (
        head
      ) : (
        <button type="button" class="sort" onClick={() => onSort({ by: name, isDown: !isDown })}>
          {head}
          <span class={isBy ? "sort-mark" : "sort-mark off"}>
            <Icon name={isDown ? "down" : "up"} size={13} />
          </span>
        </button>
      )}
    </th>
  );
}

function Row<Row>({ row, table }: { readonly row: Row; readonly table: TableProps<Row> }): JSX.Element {
  const { columns, onOpen, isCurrent } = table;
  const open =
    onOpen &&
    ((event: MouseEvent): void => {
      if ((event.target as Element).closest("a, button, input, select, label") === null) onOpen(row);
    });
  return (
    <tr
      class={onOpen ? "opens" : undefined}
      aria-current={isCurrent?.(row) === true ? "true" : undefined}
      onClick={open}
    >
      {columns.map((column) =>
        column.isMain === true ? (
          <th key={column.name} scope="row" class={classes(column)}>
            {column.cell(row)}
          </th>
        ) : (
          <td key={column.name} class={classes(column)}>
            {column.cell(row)}
          </td>
        ),
      )}
    </tr>
  );
}

function classes<Row>({ isNumber, isWide, isExtra }: Column<Row>): string {
  return [isNumber && "number", isWide && "wide", isExtra && "extra"].filter(Boolean).join(" ");
}
