/** What is in force, each with its undo. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { change, may, segment } from "../api.ts";
import { durations } from "../model/orders.ts";
import type { Response } from "../model/responses.ts";
import { Button } from "../ui/button.tsx";
import { Confirm } from "../ui/dialog.tsx";
import { Select } from "../ui/field.tsx";
import { Time } from "../ui/time.tsx";
import { toast } from "../ui/toast.tsx";
import "./acting.css";

export function Restrictions({
  responses,
  onDone,
}: {
  readonly responses: readonly Response[];
  readonly onDone: () => void;
}): JSX.Element {
  return (
    <ul class="in-force">
      {responses.map((response) => (
        <li key={response.id}>
          <InForce response={response} onDone={onDone} />
        </li>
      ))}
    </ul>
  );
}

function InForce({
  response,
  onDone,
}: {
  readonly response: Response;
  readonly onDone: () => void;
}): JSX.Element {
  const { id, what, because, by, until, next, incident } = response;
  return (
    <>
      <div class="in-force-what">
        <p>
          <strong>{what}</strong>
        </p>
        <p class="small faint">
          {because} By {by}, ends <Time at={until} />
          {next !== "" && `, then ${next}`}
          {incident !== undefined && (
            <>
              , for <a href={`/incidents/${segment(incident)}`}>its incident</a>
            </>
          )}
        </p>
      </div>
      {may("operator") && <Undo response={{ id, what }} onDone={onDone} />}
    </>
  );
}

/** Lift, or let it last longer. */
export function Undo({
  response: { id, what },
  onDone,
}: {
  readonly response: Pick<Response, "id" | "what">;
  readonly onDone: () => void;
}): JSX.Element {
  const asked = useSignal<"lift" | "renew" | undefined>(undefined);
  const lasts = useSignal<string>("1h");
  const act = async (because: string): Promise<void> => {
    const isLift = asked.value === "lift";
    await change(
      "POST",
      `/responses/${segment(id)}/${isLift ? "lift" : "renew"}`,
      isLift ? { because } : { for: lasts.value, because },
    );
    toast(isLift ? "Lifted." : "It lasts longer.");
    onDone();
  };
  return (
    <div class="row">
      <Button icon="undo" onClick={() => (asked.value = "lift")}>
        Lift
      </Button>
      <Button kind="quiet" icon="clock" onClick={() => (asked.value = "renew")}>
        Renew
      </Button>
      {asked.value !== undefined && (
        <Confirm
          title={asked.value === "lift" ? "Lift it?" : "Let it last longer?"}
          says={what}
          verb={asked.value === "lift" ? "Lift" : "Renew"}
          onConfirm={act}
          onClose={() => (asked.value = undefined)}
        >
          {asked.value === "renew" && (
            <Select
              label="How long from now"
              value={lasts.value}
              options={durations}
              onChange={(value) => (lasts.value = value)}
            />
          )}
        </Confirm>
      )}
    </div>
  );
}
