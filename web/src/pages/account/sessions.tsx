/** Sessions that are open: one's own, or everybody's, each with its end. */
import type { JSX } from "preact";

import { change, may, segment } from "../../api.ts";
import { type OpenSession, readSessions, wayInWords } from "../../model/people.ts";
import { Badge } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Empty, Failure, Show } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";
import { useAction } from "../../use-action.ts";
import { useLoaded } from "../../use-loaded.ts";

export function Sessions(): JSX.Element {
  const isAll = may("admin");
  const loaded = useLoaded("/sessions", readSessions, ["people"]);
  const action = useAction();
  const end = async ({ id }: OpenSession): Promise<void> => {
    if (!(await action.run(() => change("DELETE", `/sessions/${segment(id)}`, {})))) return;
    toast("The session is ended.");
    loaded.reload();
  };
  return (
    <Panel
      title={isAll ? "Open sessions" : "Your sessions"}
      says={isAll ? "Everybody's: you are admin." : undefined}
      isFlush
    >
      {action.failure !== undefined && <Failure says={action.failure} />}
      <Show loaded={loaded} rows={3}>
        {(sessions) => (
          <Table
            label={isAll ? "Open sessions" : "Your sessions"}
            columns={columns(isAll, (session) => void end(session))}
            rows={sessions}
            keyOf={({ id }) => id}
            empty={<Empty title="No browser is logged in" />}
          />
        )}
      </Show>
    </Panel>
  );
}

function columns(isAll: boolean, onEnd: (session: OpenSession) => void): readonly Column<OpenSession>[] {
  const whose: Column<OpenSession> = { name: "name", head: "Who", cell: ({ name }) => name };
  return [
    {
      name: "browser",
      head: "Browser",
      isMain: true,
      cell: ({ browser, isThis }) => (
        <span class="row">
          {browser}
          {isThis && <Badge tone="accent">this one</Badge>}
        </span>
      ),
    },
    ...(isAll ? [whose] : []),
    { name: "by", head: "By", isExtra: true, cell: ({ by }) => wayInWords(by) },
    { name: "address", head: "From", isExtra: true, cell: ({ address }) => address },
    { name: "began", head: "Began", cell: ({ beganUnixMs }) => <Time at={beganUnixMs} /> },
    {
      name: "ends",
      head: "Ends",
      isExtra: true,
      cell: ({ expiresAtUnixMs }) => <Time at={expiresAtUnixMs} />,
    },
    {
      name: "end",
      head: <span class="hidden">End</span>,
      cell: (session) =>
        !session.isThis && (
          <Button kind="quiet" onClick={() => onEnd(session)}>
            End<span class="hidden"> the session of {session.name}</span>
          </Button>
        ),
    },
  ];
}
