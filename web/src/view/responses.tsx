/** What is in force against callers and tools, each with a way to end it; and, above all, what has stopped all calls. */
import type { JSX } from "preact";
import { useSignal } from "@preact/signals";

import { failure, lift } from "../gateway.ts";
import type { Response, Stopped } from "../model/responses.ts";

export function StoppedNotice({ stopped }: { readonly stopped: readonly Stopped[] }): JSX.Element | null {
  if (stopped.length === 0) return null;
  return (
    <section class="notice stopped" role="alert">
      <h2>All calls are stopped</h2>
      <ul>
        {stopped.map(({ source, because, by }) => (
          <li key={source}>
            <strong>{because}</strong>{" "}
            <span class="small">
              ({source}, {by})
            </span>
          </li>
        ))}
      </ul>
      <p>
        <code>latticegate kill status</code> says how each is withdrawn.
      </p>
    </section>
  );
}

export function Responses({ responses }: { readonly responses: readonly Response[] }): JSX.Element {
  return (
    <section aria-labelledby="responses">
      <h2 id="responses">In force</h2>
      {responses.length === 0 && <p class="empty">Nothing is restricted.</p>}
      <ul class="requests">
        {responses.map((response) => (
          <InForce key={response.id} response={response} />
        ))}
      </ul>
    </section>
  );
}

function InForce({ response }: { readonly response: Response }): JSX.Element {
  const { id, what, because, by, until } = response;
  const reason = useSignal("");
  const send = async (): Promise<void> => {
    if (reason.value.trim() === "") failure.value = "Say why it is lifted.";
    else await lift(id, reason.value.trim());
  };
  const at = new Date(until);
  return (
    <li>
      {what}{" "}
      <span class="small">
        until <time dateTime={until}>{Number.isNaN(at.getTime()) ? until : at.toLocaleString()}</time>, by{" "}
        {by}: {because}
      </span>
      <div class="decision">
        <label>
          Why it is lifted
          <input
            value={reason.value}
            maxLength={500}
            onInput={({ currentTarget }) => (reason.value = currentTarget.value)}
          />
        </label>
        <button type="button" onClick={() => void send()}>
          Lift
        </button>
      </div>
    </li>
  );
}
