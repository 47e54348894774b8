/** Tools in rows, each opened by a click. */
import type { JSX } from "preact";

import { toolHref } from "../../model/names.ts";
import { type Marks, type Tool, toolKey } from "../../model/tools.ts";
import { goTo } from "../../router.ts";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { MarkBadges, ToolState } from "./tool-marks.tsx";

export function ToolTable({
  label,
  tools,
  marks,
}: {
  readonly label: string;
  readonly tools: readonly Tool[];
  readonly marks: Marks | undefined;
}): JSX.Element {
  return (
    <Table
      label={label}
      columns={columnsWith(marks)}
      rows={tools}
      keyOf={({ server, tool }) => toolKey(server, tool)}
      onOpen={({ server, tool }) => goTo(toolHref(server, tool))}
    />
  );
}

function columnsWith(marks: Marks | undefined): readonly Column<Tool>[] {
  return [
    {
      name: "tool",
      head: "Tool",
      isMain: true,
      isWide: true,
      cell: ({ server, tool, name, findings }) => (
        <>
          <a href={toolHref(server, tool)}>{name}</a>
          {findings.length > 0 && <p class="story-says">{findings[0]}</p>}
        </>
      ),
    },
    { name: "state", head: "State", cell: ({ state }) => <ToolState state={state} /> },
    {
      name: "may",
      head: "May",
      isExtra: true,
      cell: ({ server, tool }) => <MarkBadges may={marks?.tools.get(toolKey(server, tool))?.may ?? []} />,
    },
    {
      name: "seen",
      head: "First seen",
      isExtra: true,
      cell: ({ firstSeen }) => <Time at={firstSeen} />,
    },
  ];
}
