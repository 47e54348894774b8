/** Held calls: those that wait, and one of them with all that is known of it. Opening one decides nothing. */
import { Fragment, type JSX } from "preact";
import { useSignal } from "@preact/signals";

import { decide, failure, opened } from "../gateway.ts";
import { type Approval, isOpen } from "../model/approvals.ts";

export function Approvals({ requests }: { readonly requests: readonly Approval[] }): JSX.Element {
  const request = opened.value;
  return (
    <section aria-labelledby="approvals">
      <h2 id="approvals">Calls that wait for approval</h2>
      {requests.length === 0 && <p class="empty">Nothing waits.</p>}
      <ul class="requests">
        {requests.map(({ id, what, caller, have, need, expires }) => (
          <li key={id}>
            <a href={`#approval=${id}`} aria-current={request?.id === id ? "true" : undefined}>
              {what}
            </a>{" "}
            <span class="small">
              by {caller}, {have} of {need}, until {time(expires)}
            </span>
          </li>
        ))}
      </ul>
      {failure.value !== "" && (
        <p role="alert" class="failure">
          {failure.value}
        </p>
      )}
      {request && <Request key={request.id} request={request} />}
    </section>
  );
}

function Request({ request }: { readonly request: Approval }): JSX.Element {
  const { id, state, what, caller, rules, have, need, expires, votes } = request;
  return (
    <article aria-label={`Request ${id}`}>
      <h3>{what}</h3>
      <dl class="request">
        <dt>State</dt>
        <dd>
          {state}, {have} of {need} approvals, until {time(expires)}
        </dd>
        <dt>Caller</dt>
        <dd>{caller}</dd>
        {rules.map(({ rule, because }) => (
          <Fragment key={rule}>
            <dt>Rule {rule}</dt>
            <dd>{because}</dd>
          </Fragment>
        ))}
        {votes.map(({ by, what: voted, reason }, at) => (
          <Fragment key={at}>
            <dt>{voted === "deny" ? "Denied" : "Approved"}</dt>
            <dd>
              {by}
              {reason !== "" && `: ${reason}`}
            </dd>
          </Fragment>
        ))}
        {request.arguments?.map(({ name, value, isCut }) => (
          <Fragment key={name}>
            <dt>{name}</dt>
            <dd class="said">
              {value}
              {isCut && <strong> [cut]</strong>}
            </dd>
          </Fragment>
        ))}
      </dl>
      {request.arguments === undefined && <p class="empty">What it says isn't kept any more: it is over.</p>}
      {isOpen(request) && <Decision id={id} />}
    </article>
  );
}

function Decision({ id }: { readonly id: string }): JSX.Element {
  const reason = useSignal("");
  const isSent = useSignal(false);
  const send = async (what: "approve" | "deny"): Promise<void> => {
    isSent.value = true;
    await decide(id, what, reason.value.trim());
    isSent.value = false;
  };
  return (
    <div class="decision">
      <label>
        Reason
        <input
          value={reason.value}
          maxLength={500}
          onInput={({ currentTarget }) => (reason.value = currentTarget.value)}
        />
      </label>
      <button type="button" disabled={isSent.value} onClick={() => void send("approve")}>
        Approve
      </button>
      <button type="button" class="stop" disabled={isSent.value} onClick={() => void send("deny")}>
        Deny
      </button>
    </div>
  );
}

function time(iso: string): JSX.Element {
  const at = new Date(iso);
  return <time dateTime={iso}>{Number.isNaN(at.getTime()) ? iso : at.toLocaleString()}</time>;
}
