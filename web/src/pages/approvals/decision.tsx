/** The decision, by two clicks on what is opened, and those that others have made. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { change } from "../../api.ts";
import type { Vote } from "../../model/approvals.ts";
import { Button } from "../../ui/button.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";

export function Decision({
  path,
  what,
  isApproved = false,
  onDone,
}: {
  /** Below /api/v1, of the request. */
  readonly path: string;
  readonly what: string;
  /** It has its approvals, and hasn't been used: it can still be denied. */
  readonly isApproved?: boolean;
  readonly onDone: () => void;
}): JSX.Element {
  const asked = useSignal<"approve" | "deny" | undefined>(undefined);
  const isApprove = asked.value === "approve";
  const decide = async (reason: string): Promise<void> => {
    await change("POST", `${path}/${isApprove ? "approve" : "deny"}`, reason === "" ? {} : { reason });
    toast(isApprove ? "Approved." : "Denied.");
    onDone();
  };
  return (
    <div class="decision">
      {!isApproved && (
        <Button kind="primary" icon="check" onClick={() => (asked.value = "approve")}>
          Approve
        </Button>
      )}
      <Button kind="danger" icon="cross" onClick={() => (asked.value = "deny")}>
        {isApproved ? "Take the approval back" : "Deny"}
      </Button>
      {asked.value !== undefined && (
        <Confirm
          title={isApprove ? "Approve it?" : "Deny it?"}
          says={
            <>
              <p class="said">{what}</p>
              <p class="small faint">
                {isApprove ? "It goes through once, as it was asked." : "Whoever asked is told the reason."}
              </p>
            </>
          }
          verb={isApprove ? "Approve" : "Deny"}
          isDanger={!isApprove}
          reason={isApprove ? "welcome" : "needed"}
          onConfirm={decide}
          onClose={() => (asked.value = undefined)}
        />
      )}
    </div>
  );
}

export function Votes({ votes }: { readonly votes: readonly Vote[] }): JSX.Element | null {
  if (votes.length === 0) return null;
  return (
    <section aria-label="Who decided">
      <h3>Who decided</h3>
      <ol class="moments">
        {votes.map(({ by, login, what, at, reason }, index) => (
          <li key={index} class="act">
            <Time at={at} as="clock" />
            <p class="moment-says">
              {by} {what === "deny" ? "denied" : "approved"} it{reason !== "" && `: ${reason}`}
              <span class="small faint"> by {login}</span>
            </p>
          </li>
        ))}
      </ol>
    </section>
  );
}
