/** A question above the page: the browser's own dialog, which keeps the focus and gives it back. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

import { useSignal } from "@preact/signals";

import { useAction } from "../use-action.ts";
import { Button } from "./button.tsx";
import { Field } from "./field.tsx";
import { Failure } from "./states.tsx";

interface DialogProps {
  readonly title: ComponentChildren;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  readonly isWide?: boolean | undefined;
}

/** Open for as long as it is rendered; Escape and the cross ask for its end. */
export function Dialog({ title, onClose, children, isWide = false }: DialogProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const shown = dialog.current;
    const opener = document.activeElement;
    shown?.showModal();
    shown?.querySelector<HTMLElement>(".dialog-body :is(input, textarea, select)")?.focus();
    return () => {
      shown?.close();
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={`dialog ${isWide ? "wide" : ""}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
    >
      <header class="dialog-head">
        <h2 id={id}>{title}</h2>
        <Button kind="quiet" icon="close" isIconOnly onClick={onClose}>
          Close
        </Button>
      </header>
      <div class="dialog-body">{children}</div>
    </dialog>
  );
}

interface ConfirmProps {
  readonly title: ComponentChildren;
  /** What will happen. */
  readonly says: ComponentChildren;
  /** On the button: "Lift", "Deny". */
  readonly verb: string;
  readonly isDanger?: boolean | undefined;
  /** Absent: a reason is asked for and needed. */
  readonly reason?: "needed" | "welcome" | "none" | undefined;
  readonly reasonLabel?: string | undefined;
  /** More that is asked for, between what it says and the reason. */
  readonly children?: ComponentChildren;
  /** Closed once it is done; stays with what went wrong otherwise. */
  readonly onConfirm: (because: string) => Promise<unknown>;
  readonly onClose: () => void;
}

export function Confirm(props: ConfirmProps): JSX.Element {
  const { reason = "needed", verb, onClose } = props;
  const because = useSignal("");
  const wrong = useSignal<string | undefined>(undefined);
  const action = useAction();
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const said = because.value.trim();
    wrong.value = reason === "needed" && said === "" ? "Say why: the log keeps it." : undefined;
    if (wrong.value !== undefined) return;
    if (await action.run(() => props.onConfirm(said))) onClose();
  };
  return (
    <Dialog title={props.title} onClose={onClose}>
      <form onSubmit={(event) => void submit(event)} noValidate>
        <div class="dialog-says">{props.says}</div>
        {props.children}
        {reason !== "none" && (
          <Field
            label={props.reasonLabel ?? (reason === "needed" ? "Why" : "Why (if you like)")}
            value={because.value}
            wrong={wrong.value}
            maxLength={500}
            onInput={(value) => (because.value = value)}
          />
        )}
        {action.failure !== undefined && <Failure says={action.failure} />}
        <div class="dialog-actions">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" kind={props.isDanger === true ? "danger" : "primary"} isBusy={action.isBusy}>
            {verb}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
