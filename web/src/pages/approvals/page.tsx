/** Calls that wait for somebody: what they are, who asks, and the decision. Opening one decides nothing. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { change, may, segment } from "../../api.ts";
import { type Approval, isOpen, readApproval, readApprovals } from "../../model/approvals.ts";
import type { PageProps } from "../../router.ts";
import { Badge } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Facts, PageHead, Panel } from "../../ui/panel.tsx";
import { Empty, Show } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";
import { useLoaded } from "../../use-loaded.ts";

export default function Page({ rest: [id] }: PageProps): JSX.Element {
  const loaded = useLoaded("/approvals?limit=100", readApprovals, ["approvals"]);
  return (
    <>
      <PageHead title="Approvals" says="Calls that a rule holds until somebody says yes or no." />
      <div class="split">
        <Panel title="Waiting" isFlush>
          <Show loaded={loaded}>
            {(requests) => (
              <Table
                label="Calls that wait"
                columns={columns}
                rows={requests}
                keyOf={(request) => request.id}
                isCurrent={(request) => request.id === id}
                empty={<Empty title="Nothing waits">A held call shows up here at once.</Empty>}
              />
            )}
          </Show>
        </Panel>
        {id !== undefined && <One key={id} id={id} />}
      </div>
    </>
  );
}

const columns: readonly Column<Approval>[] = [
  {
    name: "what",
    head: "Call",
    isMain: true,
    isWide: true,
    cell: ({ id, what }) => <a href={`/approvals/${encodeURIComponent(id)}`}>{what}</a>,
  },
  { name: "caller", head: "Caller", isExtra: true, cell: ({ caller }) => caller },
  { name: "votes", head: "Votes", isNumber: true, cell: ({ have, need }) => `${have} of ${need}` },
  { name: "expires", head: "Ends", cell: ({ expires }) => <Time at={expires} /> },
];

function One({ id }: { readonly id: string }): JSX.Element {
  const loaded = useLoaded(`/approvals/${segment(id)}`, readApproval, ["approvals"]);
  return (
    <Panel
      title={loaded.data?.what ?? `Request ${id}`}
      actions={loaded.data && <Badge>{loaded.data.state}</Badge>}
    >
      <Show loaded={loaded}>{(request) => <Request request={request} onDone={loaded.reload} />}</Show>
    </Panel>
  );
}

function Request({
  request,
  onDone,
}: {
  readonly request: Approval;
  readonly onDone: () => void;
}): JSX.Element {
  const { caller, rules, have, need, expires, votes } = request;
  return (
    <article aria-label={`Request ${request.id}`} class="stack">
      <Facts
        facts={[
          ["State", `${request.state}, ${have} of ${need} approvals`],
          ["Ends", <Time key="ends" at={expires} />],
          ["Caller", caller],
          ...rules.map(({ rule, because }) => [`Rule ${rule}`, because] as const),
          ...votes.map(
            ({ by, what, reason }) =>
              [what === "deny" ? "Denied" : "Approved", reason === "" ? by : `${by}: ${reason}`] as const,
          ),
        ]}
      />
      {request.arguments === undefined ? (
        <p class="faint small">What it says isn't kept any more: it is over.</p>
      ) : (
        <Facts
          facts={request.arguments.map(({ name, value, isCut }) => [
            name,
            <span key={name} class="said">
              {value}
              {isCut && <strong> [cut]</strong>}
            </span>,
          ])}
        />
      )}
      {isOpen(request) && may("approver") && <Decision id={request.id} onDone={onDone} />}
    </article>
  );
}

function Decision({ id, onDone }: { readonly id: string; readonly onDone: () => void }): JSX.Element {
  const asked = useSignal<"approve" | "deny" | undefined>(undefined);
  const decide = async (what: "approve" | "deny", reason: string): Promise<void> => {
    await change("POST", `/approvals/${segment(id)}/${what}`, reason === "" ? {} : { reason });
    toast(what === "approve" ? "Approved." : "Denied.");
    onDone();
  };
  return (
    <div class="row">
      <Button kind="primary" icon="check" onClick={() => (asked.value = "approve")}>
        Approve
      </Button>
      <Button kind="danger" icon="cross" onClick={() => (asked.value = "deny")}>
        Deny
      </Button>
      {asked.value !== undefined && (
        <Confirm
          title={asked.value === "approve" ? "Let this call through?" : "Deny this call?"}
          says={asked.value === "approve" ? "It goes through once." : "The caller is told the reason."}
          verb={asked.value === "approve" ? "Approve" : "Deny"}
          isDanger={asked.value === "deny"}
          reason="welcome"
          onConfirm={(reason) => decide(asked.value ?? "deny", reason)}
          onClose={() => (asked.value = undefined)}
        />
      )}
    </div>
  );
}
