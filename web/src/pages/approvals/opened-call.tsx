/** One held call: who asks, on whose behalf, with what, why it is held, and the decision. */
import type { JSX } from "preact";

import { may, segment } from "../../api.ts";
import { type Approval, isOpen, readApproval, timeLeft } from "../../model/approvals.ts";
import { Icon } from "../../ui/icon.tsx";
import { Facts, Panel } from "../../ui/panel.tsx";
import { Notice, Show } from "../../ui/states.tsx";
import { now, Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { Decision, Votes } from "./decision.tsx";
import { RequestState } from "./request-state.tsx";

export function OpenedCall({ id }: { readonly id: string }): JSX.Element {
  const loaded = useLoaded(`/approvals/${segment(id)}`, readApproval, ["approvals"]);
  return (
    <>
      <a class="back" href="/approvals">
        <Icon name="left" size={16} /> All requests
      </a>
      <Panel
        title={loaded.data?.what ?? `Request ${id}`}
        actions={loaded.data && <RequestState state={loaded.data.state} />}
      >
        <Show loaded={loaded} rows={8}>
          {(request) => <Request request={request} onDone={loaded.reload} />}
        </Show>
      </Panel>
    </>
  );
}

function Request({
  request,
  onDone,
}: {
  readonly request: Approval;
  readonly onDone: () => void;
}): JSX.Element {
  const { id, asker, chain, have, need, asked, expires, votes, rules } = request;
  const left = timeLeft(expires, now.value);
  return (
    <article aria-label={`Request ${id}`} class="stack">
      <Facts
        facts={[
          ["Caller", asker],
          ...(chain.length === 0 ? [] : [["On behalf of", chain.join(", who asks for ")] as const]),
          ["Asked", <Time key="asked" at={asked} />],
          ["Ends", left ?? <Time key="ends" at={expires} />],
          ["Approvals", `${have} of ${need}`],
        ]}
      />
      <Rules rules={rules} />
      <Arguments request={request} />
      <Votes votes={votes} />
      {isOpen(request) && may("approver") && (
        <Decision
          path={`/approvals/${segment(id)}`}
          what={request.what}
          isApproved={request.state === "approved"}
          onDone={onDone}
        />
      )}
      {isOpen(request) && !may("approver") && (
        <Notice>You can look at it; deciding takes the role approver.</Notice>
      )}
    </article>
  );
}

function Rules({ rules }: Pick<Approval, "rules">): JSX.Element {
  return (
    <section aria-label="Why it is held">
      <h3>Why it is held</h3>
      <Facts
        facts={rules.map(({ rule, because, approvers, from }) => [
          rule,
          <span key={rule}>
            {because}{" "}
            <span class="faint">
              {approvers === 1 ? "One approval" : `${approvers} approvals`}
              {from.length > 0 && ` from ${from.join(", ")}`}.
            </span>
          </span>,
        ])}
      />
    </section>
  );
}

function Arguments({ request: { arguments: said } }: { readonly request: Approval }): JSX.Element {
  return (
    <section aria-label="What it says">
      <h3>What it says</h3>
      {said === undefined ? (
        <p class="faint small">It isn't kept any more: the request is over.</p>
      ) : said.length === 0 ? (
        <p class="faint small">It has no arguments.</p>
      ) : (
        <dl class="arguments">
          {said.map(({ name, value, isCut }, at) => (
            <div key={at}>
              <dt>{name}</dt>
              <dd class="said" tabIndex={0}>
                {value}
                {isCut && <strong> … it goes on</strong>}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}
