/** One proposal of a playbook: what it would do, against whom, why, and the decision. */
import type { JSX } from "preact";

import { may, segment } from "../../api.ts";
import { isWaiting, type Proposal, readProposals, timeLeft } from "../../model/approvals.ts";
import { callHref } from "../../model/names.ts";
import { Icon } from "../../ui/icon.tsx";
import { Facts, Panel } from "../../ui/panel.tsx";
import { Empty, Show } from "../../ui/states.tsx";
import { now, Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { Decision, Votes } from "./decision.tsx";
import { RequestState } from "./request-state.tsx";

export function OpenedProposal({ id }: { readonly id: string }): JSX.Element {
  const loaded = useLoaded("/proposals?limit=500&all=true", readProposals, ["approvals"]);
  const found = loaded.data?.find((each) => each.id === id);
  return (
    <>
      <a class="back" href="/approvals">
        <Icon name="left" size={16} /> All requests
      </a>
      <Panel title={found?.what ?? `Proposal ${id}`} actions={found && <RequestState state={found.state} />}>
        <Show loaded={loaded} rows={6}>
          {() =>
            found === undefined ? (
              <Empty title="There is no such proposal">It may be older than thirty days.</Empty>
            ) : (
              <Opened proposal={found} onDone={loaded.reload} />
            )
          }
        </Show>
      </Panel>
    </>
  );
}

function Opened({
  proposal,
  onDone,
}: {
  readonly proposal: Proposal;
  readonly onDone: () => void;
}): JSX.Element {
  const { id, playbook, about, actions, because, cause, have, need, asked, expires, votes } = proposal;
  const left = timeLeft(expires, now.value);
  return (
    <article aria-label={`Proposal ${id}`} class="stack">
      <Facts
        facts={[
          ["Playbook", playbook],
          ["Would do", actions.join(", then ")],
          ["Against", about],
          ["Because", because],
          ...(cause === ""
            ? []
            : [
                [
                  "Found in",
                  <a key="cause" href={callHref(cause)}>
                    its call
                  </a>,
                ] as const,
              ]),
          ["Asked", <Time key="asked" at={asked} />],
          ["Ends", left ?? <Time key="ends" at={expires} />],
          ["Approvals", `${have} of ${need}`],
        ]}
      />
      <Votes votes={votes} />
      {isWaiting(proposal, now.value) && may("approver") && (
        <Decision path={`/proposals/${segment(id)}`} what={proposal.what} onDone={onDone} />
      )}
    </article>
  );
}
