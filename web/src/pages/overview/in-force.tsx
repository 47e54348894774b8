/** What is in force against callers and tools, each with a way to end it. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { change, may, segment } from "../../api.ts";
import { readResponses, type Response } from "../../model/responses.ts";
import { Button } from "../../ui/button.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Empty, Show } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";
import { useLoaded } from "../../use-loaded.ts";

export function InForce(): JSX.Element {
  const loaded = useLoaded("/responses?limit=100", readResponses, ["responses"]);
  const lifting = useSignal<Response | undefined>(undefined);
  const lift = async ({ id }: Response, because: string): Promise<void> => {
    await change("POST", `/responses/${segment(id)}/lift`, { because });
    toast("Lifted.");
    loaded.reload();
  };
  const asked = lifting.value;
  return (
    <Panel title="In force" isFlush>
      <Show loaded={loaded} rows={2}>
        {(responses) => (
          <Table
            label="Restrictions in force"
            columns={columnsFor((response) => (lifting.value = response))}
            rows={responses}
            keyOf={({ id }) => id}
            empty={
              <Empty title="Nothing is restricted">Every caller and tool is free, within the rules.</Empty>
            }
          />
        )}
      </Show>
      {asked !== undefined && (
        <Confirm
          title="Lift this restriction?"
          says={asked.what}
          verb="Lift"
          reasonLabel="Why it is lifted"
          onConfirm={(because) => lift(asked, because)}
          onClose={() => (lifting.value = undefined)}
        />
      )}
    </Panel>
  );
}

function columnsFor(onLift: (response: Response) => void): readonly Column<Response>[] {
  return [
    {
      name: "what",
      head: "What",
      isMain: true,
      isWide: true,
      cell: ({ what, because }) => (
        <>
          {what}
          <div class="faint small">{because}</div>
        </>
      ),
    },
    { name: "by", head: "By", isExtra: true, cell: ({ by }) => by },
    { name: "until", head: "Ends", cell: ({ until }) => <Time at={until} /> },
    ...(may("operator")
      ? [
          {
            name: "lift",
            head: <span class="hidden">Act</span>,
            isNumber: true,
            cell: (response: Response) => <Button onClick={() => onLift(response)}>Lift</Button>,
          },
        ]
      : []),
  ];
}
