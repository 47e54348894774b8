/** The kill switch: stops all calls. A word has to be typed, since nobody stops everything by a slip. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { change, may } from "../api.ts";
import { readKill, type Stopped } from "../model/responses.ts";
import { Status } from "../ui/badge.tsx";
import { Button } from "../ui/button.tsx";
import { Confirm } from "../ui/dialog.tsx";
import { Field } from "../ui/field.tsx";
import { Panel } from "../ui/panel.tsx";
import { Show } from "../ui/states.tsx";
import { toast } from "../ui/toast.tsx";
import { useLoaded } from "../use-loaded.ts";
import "./acting.css";

const word = "stop";

export function KillSwitch(): JSX.Element {
  const loaded = useLoaded("/kill", readKill, ["status", "responses"]);
  const isOn = (loaded.data ?? []).length > 0;
  return (
    <Panel title="Kill switch" tone={isOn ? "alarm" : "plain"}>
      <Show loaded={loaded} rows={1}>
        {(stopped) => <Switch stopped={stopped} onDone={loaded.reload} />}
      </Show>
    </Panel>
  );
}

function Switch({
  stopped,
  onDone,
}: {
  readonly stopped: readonly Stopped[];
  readonly onDone: () => void;
}): JSX.Element {
  const isAsked = useSignal(false);
  const isOwn = stopped.some(({ source }) => source === "api");
  return (
    <>
      {stopped.length === 0 ? (
        <Status tone="good">Calls pass.</Status>
      ) : (
        <ul class="plain-list">
          {stopped.map(({ source, by, because }) => (
            <li key={source}>
              <Status tone="bad" icon="stop">
                Stopped: {because}
              </Status>
              <p class="small faint">
                By {by}, {sourceWords[source] ?? `source ${source}`}
              </p>
            </li>
          ))}
        </ul>
      )}
      {may("operator") && (stopped.length === 0 || isOwn) && (
        <div class="row">
          <Button
            kind={isOwn ? "primary" : "danger"}
            icon={isOwn ? "play" : "stop"}
            onClick={() => (isAsked.value = true)}
          >
            {isOwn ? "Let calls pass again" : "Stop all calls"}
          </Button>
        </div>
      )}
      {isAsked.value && <Ask isOn={!isOwn} onDone={onDone} onClose={() => (isAsked.value = false)} />}
    </>
  );
}

/** How a stop that was ordered elsewhere is withdrawn. */
const sourceWords: Readonly<Record<string, string>> = {
  api: "ordered here",
  cli: 'withdrawn by "latticegate kill off"',
  file: "withdrawn by removing the file",
  signal: 'withdrawn by "latticegate kill off --source signal"',
};

function Ask({
  isOn,
  onDone,
  onClose,
}: {
  readonly isOn: boolean;
  readonly onDone: () => void;
  readonly onClose: () => void;
}): JSX.Element {
  const typed = useSignal("");
  const act = async (because: string): Promise<void> => {
    if (isOn && typed.value.trim().toLowerCase() !== word)
      throw new Error(`Type "${word}" to say that you mean it.`);
    await change("POST", "/kill", { on: isOn, because });
    toast(isOn ? "All calls are stopped." : "Calls pass again.", isOn ? "bad" : "good");
    onDone();
  };
  return (
    <Confirm
      title={isOn ? "Stop all calls?" : "Let calls pass again?"}
      says={
        isOn
          ? "Every call is refused at once, of every caller at every server, until somebody withdraws it."
          : "The stop that was ordered here ends; others stay."
      }
      verb={isOn ? "Stop all calls" : "Let them pass"}
      isDanger={isOn}
      onConfirm={act}
      onClose={onClose}
    >
      {isOn && (
        <Field label={`Type "${word}"`} value={typed.value} onInput={(value) => (typed.value = value)} />
      )}
    </Confirm>
  );
}
