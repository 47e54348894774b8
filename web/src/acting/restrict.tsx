/** Orders against a caller, a session, a server or a tool: what, whom, how long, why; nothing happens before the last click. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { change } from "../api.ts";
import { actionSays, actionsFor, actionTitle, durations, type Target } from "../model/orders.ts";
import { Confirm } from "../ui/dialog.tsx";
import { Field, Select } from "../ui/field.tsx";
import { toast } from "../ui/toast.tsx";

interface RestrictProps {
  /** Whom or what it can be about; the first is proposed. */
  readonly targets: readonly Target[];
  /** What is proposed. */
  readonly action?: string | undefined;
  readonly onDone?: (() => void) | undefined;
  readonly onClose: () => void;
}

export function Restrict({ targets, action: first, onDone, onClose }: RestrictProps): JSX.Element {
  const at = useSignal(0);
  const target = targets[at.value] ?? targets[0];
  const possible = target === undefined ? [] : actionsFor(target.scope);
  const action = useSignal<string>(first ?? possible[0] ?? "quarantine");
  const lasts = useSignal<string>("1h");
  const calls = useSignal("10");
  const chosen = possible.some((name) => name === action.value) ? action.value : (possible[0] ?? "");
  const order = async (because: string): Promise<void> => {
    await change("POST", "/responses", {
      action: chosen,
      ...target?.scope,
      for: lasts.value,
      ...(chosen === "limit" && { limit: { calls: Number(calls.value), per: "1m" } }),
      because,
    });
    toast(`Done: ${actionTitle(chosen)}.`);
    onDone?.();
  };
  return (
    <Confirm
      title="Restrict"
      says={actionSays(chosen)}
      verb={actionTitle(chosen)}
      isDanger
      onConfirm={order}
      onClose={onClose}
    >
      <Select
        label="Whom or what"
        value={String(at.value)}
        options={targets.map(({ label }, index) => ({ value: String(index), label }))}
        onChange={(value) => (at.value = Number(value))}
      />
      <Select
        label="What"
        value={chosen}
        options={possible.map((name) => ({ value: name, label: actionTitle(name) }))}
        onChange={(value) => (action.value = value)}
      />
      {chosen === "limit" && (
        <Field
          label="Calls a minute"
          type="number"
          value={calls.value}
          onInput={(value) => (calls.value = value)}
        />
      )}
      <Select
        label="How long"
        value={lasts.value}
        options={durations}
        onChange={(value) => (lasts.value = value)}
      />
    </Confirm>
  );
}
