/** A draft of the rules: checked as it is typed, tried by cases, held against recorded calls, taken away as a patch. */
import { signal, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

import { change } from "../../api.ts";
import { fields, text } from "../../model/fields.ts";
import { type Checked, marksOf, type Policy, readChecked } from "../../model/policy.ts";
import { count } from "../../model/words.ts";
import { useAction } from "../../use-action.ts";
import { Badge, Status } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Failure, Notice } from "../../ui/states.tsx";
import { toast } from "../../ui/toast.tsx";
import { Editor } from "./editor.tsx";
import { Replay, Tests } from "./trials.tsx";

/** What somebody typed stays while other pages are looked at; undefined: nothing yet. */
const typed = signal<string | undefined>(undefined);

/** After the last key. */
const restMs = 400;

export function Draft({ policy: { source } }: { readonly policy: Policy }): JSX.Element {
  const written = source?.text ?? "policies: []\n";
  const value = typed.value ?? written;
  const check = useCheck(value);
  const target = useSignal<{ readonly line: number } | undefined>(undefined);
  const id = useId();
  const isSame = value === written;
  return (
    <>
      <Panel
        title="Draft"
        says="It begins with what is written now. Nothing here changes what is in force."
        actions={
          <>
            <Button icon="undo" disabled={isSame} onClick={() => (typed.value = undefined)}>
              Begin anew
            </Button>
            <Patch value={value} isSame={isSame} errors={check.checked?.errors ?? 0} />
          </>
        }
      >
        <Editor
          label="Rules, as YAML"
          value={value}
          marks={marksOf(check.checked?.mistakes ?? [])}
          describedBy={id}
          goTo={target.value}
          onInput={(next) => (typed.value = next)}
        />
        <div id={id}>
          {check.failure !== undefined && <Failure says={check.failure} />}
          <Mistakes
            checked={check.checked}
            isChecking={check.isChecking}
            onGo={(line) => (target.value = { line })}
          />
        </div>
      </Panel>
      <Tests text={value} />
      <Replay text={value} />
    </>
  );
}

interface Check {
  readonly checked: Checked | undefined;
  readonly isChecking: boolean;
  readonly failure: string | undefined;
}

/** One question at a time, of what was typed last. */
function useCheck(value: string): Check {
  const state = useSignal<Check>({ checked: undefined, isChecking: true, failure: undefined });
  const isFirst = useRef(true);
  useEffect(() => {
    let isOver = false;
    state.value = { ...state.peek(), isChecking: true };
    const ask = async (): Promise<void> => {
      const next = await change("POST", "/policy/check", { text: value }, readChecked).then(
        (checked) => ({ checked, failure: undefined }),
        (error: unknown) => ({
          checked: undefined,
          failure: error instanceof Error ? error.message : "It can't be checked.",
        }),
      );
      if (!isOver) state.value = { ...next, isChecking: false };
    };
    const soon = setTimeout(() => void ask(), isFirst.current ? 0 : restMs);
    isFirst.current = false;
    return () => {
      isOver = true;
      clearTimeout(soon);
    };
  }, [value]);
  return state.value;
}

function Mistakes({
  checked,
  isChecking,
  onGo,
}: {
  readonly checked: Checked | undefined;
  readonly isChecking: boolean;
  readonly onGo: (line: number) => void;
}): JSX.Element {
  return (
    <>
      <p class="draft-state" role="status">
        {checked === undefined || isChecking ? (
          <Status tone="plain" icon="clock">
            Checking
          </Status>
        ) : (
          <Summary checked={checked} />
        )}
      </p>
      <ol class="mistakes">
        {checked?.mistakes.map(({ line, column, isError, rule, wrong, mend }, at) => (
          <li key={`${at} ${line} ${wrong}`}>
            <button type="button" class="mistake-place" onClick={() => onGo(line)}>
              Line {line}:{column}
            </button>
            <div>
              <Badge tone={isError ? "bad" : "warn"} icon={isError ? "cross" : "warning"}>
                {isError ? "error" : "warning"}
              </Badge>{" "}
              {rule !== "" && <strong>{rule}: </strong>}
              {wrong} <span class="faint">{mend}</span>
            </div>
          </li>
        ))}
      </ol>
      {checked !== undefined && checked.withoutTools.length > 0 && (
        <Notice>
          The tools of {checked.withoutTools.join(", ")} aren't known yet, so their names and arguments
          weren't checked. They are once a client has listed them.
        </Notice>
      )}
    </>
  );
}

function Summary({ checked: { rules, errors, warnings, more } }: { readonly checked: Checked }): JSX.Element {
  if (errors + warnings === 0)
    return <Status tone="good">Nothing is wrong with {count(rules, "rule", "rules")}.</Status>;
  const beyond = more === 0 ? "" : `; ${more} more aren't listed`;
  return (
    <Status tone={errors > 0 ? "bad" : "warn"}>
      {count(errors, "error", "errors")}, {count(warnings, "warning", "warnings")} in{" "}
      {count(rules, "rule", "rules")}
      {beyond}.
    </Status>
  );
}

interface PatchProps {
  readonly value: string;
  readonly isSame: boolean;
  readonly errors: number;
}

function Patch({ value, isSame, errors }: PatchProps): JSX.Element {
  const action = useAction();
  const take = async (): Promise<void> => {
    const { file, patch } = fields(await change("POST", "/policy/patch", { text: value }));
    const name = text(file) === "" ? "policies.yaml" : `${text(file)}.patch`;
    save(name, text(patch));
    toast(`${name} is saved.`);
  };
  return (
    <>
      <Button
        kind="primary"
        icon="download"
        disabled={isSame || errors > 0}
        isBusy={action.isBusy}
        title={errors > 0 ? "Put its mistakes right first." : undefined}
        onClick={() => void action.run(take)}
      >
        Export the patch
      </Button>
      {action.failure !== undefined && <Failure says={action.failure} />}
    </>
  );
}

function save(name: string, content: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type: "text/plain" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
