/** A table that scrolls within itself and sorts by the columns that say how. */
import { useSignal } from "@preact/signals";
import { Component, type ComponentChildren, type JSX } from "preact";
import { useRef } from "preact/hooks";

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
  const latest = useRef(props);
  latest.current = props;
  const open = (row: Row): void => latest.current.onOpen?.(row);
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
            <Line
              key={props.keyOf(row)}
              row={row}
              columns={columns}
              isCurrent={props.isCurrent?.(row) === true}
              opens={props.onOpen !== undefined}
              onOpen={open}
            />
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

interface LineProps<Row> {
  readonly row: Row;
  readonly columns: readonly Column<Row>[];
  readonly isCurrent: boolean;
  readonly opens: boolean;
  readonly onOpen: (row: Row) => void;
}

/** Drawn anew when its row is another object, or what its cells read of signals is: lists of calls move all the time. */
class Line<Row> extends Component<LineProps<Row>> {
  override shouldComponentUpdate(next: LineProps<Row>, state: unknown): boolean {
    const { row, columns, isCurrent, opens } = this.props;
    return (
      state !== this.state ||
      next.row !== row ||
      next.columns !== columns ||
      next.isCurrent !== isCurrent ||
      next.opens !== opens
    );
  }

  override render({ row, columns, isCurrent, opens, onOpen }: LineProps<Row>): JSX.Element {
    const open = (event: MouseEvent): void => {
      if ((event.target as Element).closest("a, button, input, select, label") === null) onOpen(row);
    };
    return (
      <tr
        class={opens ? "opens" : undefined}
        aria-current={isCurrent ? "true" : undefined}
        onClick={opens ? open : undefined}
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
}

function classes<Row>({ isNumber, isWide, isExtra }: Column<Row>): string {
  return [isNumber && "number", isWide && "wide", isExtra && "extra"].filter(Boolean).join(" ");
}
