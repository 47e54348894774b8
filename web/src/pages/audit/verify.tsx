/** The whole log, verified by the gateway's machine; what this browser verifies itself are single entries. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { change } from "../../api.ts";
import { type LogVerdict, readLogVerdict } from "../../model/audit.ts";
import { Button } from "../../ui/button.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Failure, Notice } from "../../ui/states.tsx";
import { useAction } from "../../use-action.ts";

export function Verify(): JSX.Element {
  const verdict = useSignal<LogVerdict | undefined>(undefined);
  const { isBusy, failure, run } = useAction();
  const verify = (): void =>
    void run(async () => {
      verdict.value = await change("POST", "/audit/verify", {}, readLogVerdict);
    });
  return (
    <Panel
      title="The whole log"
      says="Each entry, each hash, each signature, on the gateway's own machine. Who doesn't trust that machine takes a copy of the log and its keys, and runs latticegate audit verify elsewhere."
      actions={
        <Button kind="primary" icon="check" isBusy={isBusy} onClick={verify}>
          {isBusy ? "Verifying" : "Verify"}
        </Button>
      }
    >
      <div aria-live="polite" class="stack">
        {failure !== undefined && <Failure says={failure} />}
        {verdict.value && (
          <Notice tone={verdict.value.isIntact ? "good" : "bad"}>
            <strong>{verdict.value.isIntact ? "Intact" : "Broken"}</strong>
            <ul>
              {verdict.value.says.map((says) => (
                <li key={says}>{says}</li>
              ))}
            </ul>
            {verdict.value.signedBy.length > 0 && <p>Signed by {verdict.value.signedBy.join(", ")}.</p>}
          </Notice>
        )}
      </div>
    </Panel>
  );
}
