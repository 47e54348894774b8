/** A receipt that this browser verifies by itself: the button, and each step of what it found. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { Status } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Panel } from "../ui/panel.tsx";
import { Failure, Notice } from "../ui/states.tsx";
import { useAction } from "../use-action.ts";
import type { ReceiptJudgement } from "./judge-receipt.ts";
import { forgetLogKeys } from "./verify.ts";
import "./proof.css";

interface ProofProps {
  readonly verify: () => Promise<ReceiptJudgement>;
  /** Where the receipt itself is. */
  readonly href: string;
  readonly file: string;
}

export function Proof({ verify, href, file }: ProofProps): JSX.Element {
  const judgement = useSignal<ReceiptJudgement | undefined>(undefined);
  const { isBusy, failure, run } = useAction();
  const begin = (): void =>
    void run(async () => {
      judgement.value = await verify();
    });
  return (
    <Panel
      title="Receipt"
      says="Proof that the log has this entry as it is shown. This browser checks it by itself; the gateway isn't asked whether it holds."
      actions={
        <>
          <Button kind="primary" icon="check" isBusy={isBusy} onClick={begin}>
            Verify here
          </Button>
          <a class="button" href={href} download={file}>
            Download
          </a>
        </>
      }
    >
      <div aria-live="polite">
        {failure !== undefined && <Failure says={failure} />}
        {judgement.value && <Judgement judgement={judgement.value} />}
        {judgement.value?.isOtherLog === true && (
          <Button
            kind="danger"
            onClick={() => {
              forgetLogKeys();
              begin();
            }}
          >
            The keys were changed on purpose: take these
          </Button>
        )}
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
