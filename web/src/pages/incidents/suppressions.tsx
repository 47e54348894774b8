/** What people have said is harmless: it isn't told until its time is over, or until somebody takes it back. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { change, may, segment } from "../../api.ts";
import { readSuppressions, type Suppression } from "../../model/suppressions.ts";
import { Button } from "../../ui/button.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";
import { useLoaded } from "../../use-loaded.ts";

export function Suppressions(): JSX.Element | null {
  const loaded = useLoaded("/suppressions?limit=200", readSuppressions, ["incidents"]);
  const asked = useSignal<Suppression | undefined>(undefined);
  const all = loaded.data ?? [];
  const lift = async (because: string): Promise<void> => {
    await change("POST", `/suppressions/${segment(asked.value?.id ?? "")}/lift`, { because });
    toast("It is told again.");
    loaded.reload();
  };
  if (all.length === 0) return null;
  return (
    <Panel title="Known and harmless" says="Findings that open no incident for a while.">
      <ul class="in-force">
        {all.map((suppression) => (
          <li key={suppression.id}>
            <div class="in-force-what">
              <p>
                <strong>{suppression.kind}</strong> of {suppression.place}
              </p>
              <p class="small faint">
                {suppression.because} By {suppression.by}, ends <Time at={suppression.until} />
              </p>
            </div>
            {may("operator") && (
              <Button icon="undo" onClick={() => (asked.value = suppression)}>
                Tell me again
              </Button>
            )}
          </li>
        ))}
      </ul>
      {asked.value !== undefined && (
        <Confirm
          title="Tell it again?"
          says={`${asked.value.kind} of ${asked.value.place}`}
          verb="Tell me again"
          onConfirm={lift}
          onClose={() => (asked.value = undefined)}
        />
      )}
    </Panel>
  );
}
