/** Text of rules with the numbers of its lines, and marks at those with a mistake. */
import type { JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

import { indentAt, lineSpan } from "../../model/policy.ts";

interface EditorProps {
  readonly label: string;
  readonly value: string;
  readonly marks: ReadonlyMap<number, "error" | "warning">;
  /** Of what says what is wrong. */
  readonly describedBy: string;
  /** A line to go to; another object goes there again. */
  readonly goTo: { readonly line: number } | undefined;
  readonly onInput: (value: string) => void;
}

export function Editor({ label, value, marks, describedBy, goTo, onInput }: EditorProps): JSX.Element {
  const id = useId();
  const area = useRef<HTMLTextAreaElement>(null);
  const gutter = useRef<HTMLPreElement>(null);
  useEffect(() => {
    const shown = area.current;
    if (goTo === undefined || shown === null) return;
    const [from, to] = lineSpan(shown.value, goTo.line);
    shown.focus();
    shown.setSelectionRange(from, to);
    const height = shown.scrollHeight / Math.max(1, shown.value.split("\n").length);
    shown.scrollTop = Math.max(0, (goTo.line - 4) * height);
  }, [goTo]);
  const follow = (): void => {
    if (gutter.current !== null && area.current !== null) gutter.current.scrollTop = area.current.scrollTop;
  };
  const indent = (event: KeyboardEvent): void => {
    const shown = area.current;
    if (event.key !== "Enter" || event.isComposing || shown === null) return;
    event.preventDefault();
    const spaces = indentAt(shown.value, shown.selectionStart);
    shown.setRangeText(`\n${spaces}`, shown.selectionStart, shown.selectionEnd, "end");
    onInput(shown.value);
  };
  const hasErrors = [...marks.values()].includes("error");
  return (
    <div class="editor">
      <label for={id} class="hidden">
        {label}
      </label>
      <pre class="editor-lines" aria-hidden="true" ref={gutter}>
        {value.split("\n").map((_, at) => (
          <span key={at} class={marks.get(at + 1)}>
            {at + 1}
          </span>
        ))}
      </pre>
      <textarea
        id={id}
        ref={area}
        value={value}
        rows={24}
        wrap="off"
        spellcheck={false}
        autocapitalize="off"
        autocomplete="off"
        aria-describedby={describedBy}
        aria-invalid={hasErrors ? "true" : undefined}
        onInput={({ currentTarget }) => onInput(currentTarget.value)}
        onKeyDown={indent}
        onScroll={follow}
      />
    </div>
  );
}
