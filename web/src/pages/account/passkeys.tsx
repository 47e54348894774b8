/** One's own passkeys: those there are, another one, one less. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { change, segment } from "../../api.ts";
import { isPostQuantum, type Passkey, readPasskeys } from "../../model/people.ts";
import { addPasskey, arePasskeysPossible } from "../../passkeys.ts";
import { Badge } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Field } from "../../ui/field.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Empty, Failure, Notice, Show } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";
import { useAction } from "../../use-action.ts";
import { useLoaded } from "../../use-loaded.ts";

export function Passkeys(): JSX.Element {
  const loaded = useLoaded("/passkeys", readPasskeys, ["people"]);
  const removed = useSignal<Passkey | undefined>(undefined);
  return (
    <Panel
      title="Passkeys"
      says="They log you in with a finger, a face or a PIN, on this page and no copy of it."
      isFlush
    >
      <Show loaded={loaded} rows={3}>
        {({ passkeys, most }) => (
          <>
            <Table
              label="Your passkeys"
              columns={columns((passkey) => (removed.value = passkey))}
              rows={passkeys}
              keyOf={({ id }) => id}
              empty={<Empty title="You have none yet" icon="key" />}
            />
            {passkeys.length < most && <Add onDone={loaded.reload} />}
          </>
        )}
      </Show>
      {removed.value !== undefined && (
        <Remove passkey={removed.value} onDone={loaded.reload} onClose={() => (removed.value = undefined)} />
      )}
    </Panel>
  );
}

function columns(onRemove: (passkey: Passkey) => void): readonly Column<Passkey>[] {
  return [
    { name: "name", head: "Name", isMain: true, cell: ({ name }) => name },
    { name: "host", head: "For", isExtra: true, cell: ({ host }) => host },
    {
      name: "kept",
      head: "Kept",
      isExtra: true,
      cell: ({ isSynced }) => (isSynced ? "synced by its maker" : "on its device alone"),
    },
    {
      name: "algorithm",
      head: "Signs with",
      isExtra: true,
      cell: (passkey) => (
        <span class="row">
          {passkey.algorithm}
          {isPostQuantum(passkey) && <Badge tone="good">post-quantum</Badge>}
        </span>
      ),
    },
    { name: "added", head: "Added", isExtra: true, cell: ({ createdUnixMs }) => <Time at={createdUnixMs} /> },
    {
      name: "used",
      head: "Last used",
      cell: ({ usedUnixMs }) => (usedUnixMs === undefined ? "never" : <Time at={usedUnixMs} />),
    },
    {
      name: "remove",
      head: <span class="hidden">Remove</span>,
      cell: (passkey) => (
        <Button kind="quiet" onClick={() => onRemove(passkey)}>
          Remove<span class="hidden"> {passkey.name}</span>
        </Button>
      ),
    },
  ];
}

function Add({ onDone }: { readonly onDone: () => void }): JSX.Element {
  const name = useSignal("");
  const action = useAction();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const said = name.value.trim();
    if (said === "") return;
    if (!(await action.run(() => addPasskey(said)))) return;
    name.value = "";
    toast("The passkey is added.");
    onDone();
  };
  if (!arePasskeysPossible())
    return (
      <Notice>This browser makes no passkeys here: they need a page with a name, not an address.</Notice>
    );
  return (
    <form class="add-passkey" onSubmit={(event) => void submit(event)}>
      <Field
        label="Name of a new passkey"
        help="By which you know the device again: laptop, key in the drawer."
        value={name.value}
        maxLength={64}
        required
        onInput={(value) => (name.value = value)}
      />
      {action.failure !== undefined && <Failure says={action.failure} />}
      <Button type="submit" icon="key" isBusy={action.isBusy}>
        Add a passkey
      </Button>
    </form>
  );
}

function Remove({
  passkey: { id, name },
  onDone,
  onClose,
}: {
  readonly passkey: Passkey;
  readonly onDone: () => void;
  readonly onClose: () => void;
}): JSX.Element {
  return (
    <Confirm
      title="Remove this passkey?"
      says={`"${name}" logs nobody in any more, and other sessions that it began end. Delete it on its device, too.`}
      verb="Remove"
      isDanger
      reason="none"
      onConfirm={async () => {
        await change("DELETE", `/passkeys/${segment(id)}`, {});
        toast("The passkey is removed.");
        onDone();
      }}
      onClose={onClose}
    />
  );
}
