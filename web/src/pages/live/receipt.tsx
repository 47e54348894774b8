/** The receipt of a call's entry, verified by this browser itself. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { apiHref, segment } from "../../api.ts";
import type { ReceiptJudgement } from "../../receipt/judge-receipt.ts";
import { verifyCall } from "../../receipt/verify.ts";
import { Status } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Failure, Notice } from "../../ui/states.tsx";
import { useAction } from "../../use-action.ts";

/** What the log may have of a call that a receipt can be of, the last first. */
const provable = ["call.outcome", "call.decision"] as const;

export function Receipt({
  callId,
  entries,
}: {
  readonly callId: string;
  readonly entries: readonly string[];
}): JSX.Element | null {
  const judgement = useSignal<ReceiptJudgement | undefined>(undefined);
  const { isBusy, failure, run } = useAction();
  const event = provable.find((each) => entries.includes(each));
  if (event === undefined) return null;
  const verify = (): void =>
    void run(async () => {
      judgement.value = await verifyCall(callId, event);
    });
  return (
    <Panel
      title="Receipt"
      says="Proof that the log has this call as it is shown. This browser checks it by itself; the gateway isn't asked whether it holds."
      actions={
        <>
          <Button kind="primary" icon="check" isBusy={isBusy} onClick={verify}>
            Verify here
          </Button>
          <a
            class="button"
            href={apiHref(`/calls/${segment(callId)}/receipt?event=${event}`)}
            download={`${callId}.json`}
          >
            Download
          </a>
        </>
      }
    >
      <div aria-live="polite">
        {failure !== undefined && <Failure says={failure} />}
        {judgement.value && <Judgement judgement={judgement.value} />}
      </div>
    </Panel>
  );
}

function Judgement({
  judgement: { holds, steps, fingerprint, isOtherLog },
}: {
  readonly judgement: ReceiptJudgement;
}): JSX.Element {
  return (
    <div class="stack">
      <Notice tone={holds ? "good" : "bad"}>
        {holds
          ? "It holds: the log has this entry, as it is shown."
          : isOtherLog
            ? "These are other keys than those this browser knows of the log. If nobody rotated them on purpose, somebody shows you another log."
            : "It doesn't hold: what is shown isn't what the log was signed over."}
      </Notice>
      <ol class="receipt-steps">
        {steps.map(({ name, holds: isGood, says }) => (
          <li key={name}>
            <Status tone={isGood === undefined ? "plain" : isGood ? "good" : "bad"}>{name}</Status>
            <span>{says}</span>
          </li>
        ))}
      </ol>
      <p class="small">
        Fingerprint of the log's keys: <code>{fingerprint}</code>
      </p>
    </div>
  );
}
