/** Who may come in, as what and how; for admins. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { change, segment } from "../../api.ts";
import { type People as Told, type Person, readPeople, wayInWords } from "../../model/people.ts";
import { Badge } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Show } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";
import { useLoaded } from "../../use-loaded.ts";

export function People(): JSX.Element {
  const loaded = useLoaded("/people", readPeople, ["people"]);
  const shutOut = useSignal<Person | undefined>(undefined);
  return (
    <Panel
      title="People"
      says={
        <>
          Whom the config names (<code>control.people</code>, <code>approvals.people</code>), and who else
          came in.
        </>
      }
      isFlush
    >
      <Show loaded={loaded} rows={4}>
        {({ people, groups }) => (
          <>
            <Table
              label="People"
              columns={columns((person) => (shutOut.value = person))}
              rows={people}
              keyOf={({ name }) => name}
            />
            {groups.length > 0 && <Groups groups={groups} />}
          </>
        )}
      </Show>
      {shutOut.value !== undefined && (
        <RemovePasskeys
          person={shutOut.value}
          onDone={loaded.reload}
          onClose={() => (shutOut.value = undefined)}
        />
      )}
    </Panel>
  );
}

function columns(onRemove: (person: Person) => void): readonly Column<Person>[] {
  return [
    { name: "name", head: "Name", isMain: true, cell: ({ name }) => name },
    {
      name: "roles",
      head: "Roles",
      cell: ({ roles, isNamed }) =>
        isNamed ? <Roles roles={roles} /> : <span class="faint">not named: by a group, or no more</span>,
    },
    { name: "ways", head: "Ways in", isExtra: true, cell: ({ ways }) => ways },
    {
      name: "last",
      head: "Last login",
      isExtra: true,
      cell: ({ lastLogin }) =>
        lastLogin === undefined ? (
          "never"
        ) : (
          <>
            <Time at={lastLogin.atUnixMs} /> <span class="faint">({wayInWords(lastLogin.way)})</span>
          </>
        ),
    },
    { name: "sessions", head: "Sessions", isNumber: true, isExtra: true, cell: ({ sessions }) => sessions },
    {
      name: "remove",
      head: <span class="hidden">Remove passkeys</span>,
      cell: (person) =>
        person.passkeys > 0 && (
          <Button kind="quiet" onClick={() => onRemove(person)}>
            Remove passkeys<span class="hidden"> of {person.name}</span>
          </Button>
        ),
    },
  ];
}

function Roles({ roles }: { readonly roles: readonly string[] }): JSX.Element {
  return (
    <span class="row">
      {roles.map((role) => (
        <Badge key={role}>{role}</Badge>
      ))}
    </span>
  );
}

function Groups({ groups }: Pick<Told, "groups">): JSX.Element {
  return (
    <>
      <p class="small faint">Members of these groups at the login provider come in as well:</p>
      <Table
        label="Groups of the login provider"
        columns={[
          { name: "group", head: "Group", isMain: true, cell: ({ group }) => group },
          { name: "roles", head: "Roles", cell: ({ roles }) => <Roles roles={roles} /> },
        ]}
        rows={groups}
        keyOf={({ group }) => group}
      />
    </>
  );
}

function RemovePasskeys({
  person: { name, passkeys },
  onDone,
  onClose,
}: {
  readonly person: Person;
  readonly onDone: () => void;
  readonly onClose: () => void;
}): JSX.Element {
  return (
    <Confirm
      title="Remove all passkeys?"
      says={`${name} has ${passkeys}. None of them logs anybody in any more, and sessions that they began end.`}
      verb="Remove"
      isDanger
      reason="none"
      onConfirm={async () => {
        await change("DELETE", `/people/${segment(name)}/passkeys`, {});
        toast("The passkeys are removed.");
        onDone();
      }}
      onClose={onClose}
    />
  );
}
