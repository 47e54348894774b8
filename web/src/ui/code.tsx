/** Text as it is: code, commands, and two texts side by side. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { type DiffRow, diffLines } from "../model/diff-lines.ts";
import { Button } from "./button.tsx";

interface CodeProps {
  readonly text: string;
  readonly label: string;
  /** With a button that copies it. */
  readonly canCopy?: boolean | undefined;
}

export function Code({ text, label, canCopy = false }: CodeProps): JSX.Element {
  return (
    <div class="code-block">
      <pre tabIndex={0} aria-label={label}>
        <code>{text}</code>
      </pre>
      {canCopy && <CopyButton text={text} />}
    </div>
  );
}

function CopyButton({ text }: { readonly text: string }): JSX.Element {
  const isCopied = useSignal(false);
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(text);
    isCopied.value = true;
    setTimeout(() => (isCopied.value = false), 2000);
  };
  return (
    <Button kind="quiet" icon={isCopied.value ? "check" : "copy"} isIconOnly onClick={() => void copy()}>
      {isCopied.value ? "Copied" : "Copy"}
    </Button>
  );
}

interface DiffProps {
  readonly label: string;
  readonly before: string;
  readonly after: string;
  readonly beforeTitle?: string | undefined;
  readonly afterTitle?: string | undefined;
}

/** Side by side; on a phone one below the other, line for line. What changed has a sign, not a colour alone. */
export function Diff({
  label,
  before,
  after,
  beforeTitle = "Before",
  afterTitle = "After",
}: DiffProps): JSX.Element {
  const rows = diffLines(before, after);
  return (
    <div class="diff" role="group" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            <th scope="col">{beforeTitle}</th>
            <th scope="col">{afterTitle}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, at) => (
            <tr key={at} class={row.kind}>
              <Side row={row} side="before" />
              <Side row={row} side="after" />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Side({ row, side }: { readonly row: DiffRow; readonly side: "before" | "after" }): JSX.Element {
  const text = row[side];
  const isChanged = row.kind !== "same" && text !== undefined;
  return (
    <td class={`${side} ${text === undefined ? "none" : ""} ${isChanged ? "changed" : ""}`}>
      {isChanged && <span class="diff-sign">{side === "before" ? "−" : "+"}</span>}
      {text}
    </td>
  );
}
