/** What waits for a yes or a no: held calls, and what playbooks propose. Opening one decides nothing. */
import type { JSX } from "preact";

import "../../acting/acting.css";
import { segment } from "../../api.ts";
import {
  type Approval,
  isWaiting,
  newestFirst,
  type Proposal,
  readApprovals,
  readProposals,
  timeLeft,
} from "../../model/approvals.ts";
import { type PageProps, setQuery } from "../../router.ts";
import { Button } from "../../ui/button.tsx";
import { PageHead, Panel } from "../../ui/panel.tsx";
import { Empty, Failure, Show } from "../../ui/states.tsx";
import { now, Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { OpenedCall } from "./opened-call.tsx";
import { OpenedProposal } from "./opened-proposal.tsx";
import { RequestState } from "./request-state.tsx";

export default function Page({ rest: [id, proposal], query }: PageProps): JSX.Element {
  const isDecided = query.get("show") === "decided";
  return (
    <>
      <PageHead
        title="Approvals"
        says="Calls that a rule holds, and what playbooks propose. Nothing is decided until you click."
      />
      <div class={id === undefined ? "split" : "split opened"}>
        <Listed key={String(isDecided)} isDecided={isDecided} current={proposal ?? id} />
        {id === undefined ? (
          <Panel title="Nothing is opened">
            <Empty title="Choose one from the list">
              It shows who asks, on whose behalf, with which arguments, and which rules hold it.
            </Empty>
          </Panel>
        ) : (
          <div class="stack">
            {id === "proposals" && proposal !== undefined ? (
              <OpenedProposal key={proposal} id={proposal} />
            ) : (
              <OpenedCall key={id} id={id} />
            )}
          </div>
        )}
      </div>
    </>
  );
}

function Listed({
  isDecided,
  current,
}: {
  readonly isDecided: boolean;
  readonly current: string | undefined;
}): JSX.Element {
  const query = `?limit=500${isDecided ? "&all=true" : ""}`;
  const calls = useLoaded(`/approvals${query}`, readApprovals, ["approvals"]);
  const proposals = useLoaded(`/proposals${query}`, readProposals, ["approvals"]);
  const all = newestFirst<Approval | Proposal>([...(calls.data ?? []), ...(proposals.data ?? [])]);
  const shown = all.filter((each) => isWaiting(each, now.value) !== isDecided);
  return (
    <Panel
      title={isDecided ? "Decided" : "Waiting"}
      isFlush
      actions={
        <Button kind="quiet" onClick={() => setQuery({ show: isDecided ? undefined : "decided" })}>
          {isDecided ? "Show waiting" : "Show decided"}
        </Button>
      }
    >
      {proposals.failure && <Failure says={proposals.failure.message} onRetry={proposals.reload} />}
      <Show loaded={calls}>
        {() =>
          shown.length === 0 ? (
            <Nothing isDecided={isDecided} />
          ) : (
            <ul class="stories">
              {shown.map((each) => (
                <li key={each.id}>
                  <Line request={each} isCurrent={each.id === current} isDecided={isDecided} />
                </li>
              ))}
            </ul>
          )
        }
      </Show>
    </Panel>
  );
}

function Nothing({ isDecided }: { readonly isDecided: boolean }): JSX.Element {
  return isDecided ? (
    <Empty title="Nothing was decided yet">Requests stay listed after they are over.</Empty>
  ) : (
    <Empty title="Nothing waits" icon="check">
      A call that a rule with the effect <code>hold</code> is about shows up here at once.
    </Empty>
  );
}

function Line({
  request,
  isCurrent,
  isDecided,
}: {
  readonly request: Approval | Proposal;
  readonly isCurrent: boolean;
  readonly isDecided: boolean;
}): JSX.Element {
  const { id, kind, state, what, asked, expires, have, need } = request;
  const left = timeLeft(expires, now.value);
  const path = kind === "call" ? segment(id) : `proposals/${segment(id)}`;
  return (
    <a
      href={`/approvals/${path}${isDecided ? "?show=decided" : ""}`}
      aria-current={isCurrent ? "page" : undefined}
    >
      <span class="story-mark small">
        <RequestState state={state} />
      </span>
      <span class="story-title">{what}</span>
      <span class="story-says">
        {request.kind === "call" ? request.caller : `playbook ${request.playbook}`}, <Time at={asked} />
        {state === "waiting" && left !== undefined && `, ${left}, ${have} of ${need} approvals`}
      </span>
    </a>
  );
}
