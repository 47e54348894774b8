/** A part of a page with its heading. */
import type { ComponentChildren, JSX } from "preact";
import { useId } from "preact/hooks";

interface PanelProps {
  readonly title: ComponentChildren;
  /** At the right of the title: buttons, a filter, a figure. */
  readonly actions?: ComponentChildren;
  /** A sentence below the title. */
  readonly says?: ComponentChildren;
  readonly children: ComponentChildren;
  /** `alarm` for what must be seen first. */
  readonly tone?: "plain" | "alarm" | undefined;
  /** The content reaches the edges: tables. */
  readonly isFlush?: boolean | undefined;
  readonly class?: string | undefined;
}

export function Panel(props: PanelProps): JSX.Element {
  const { title, actions, says, children, tone = "plain", isFlush = false, class: more = "" } = props;
  const id = useId();
  return (
    <section class={`panel ${tone} ${isFlush ? "flush" : ""} ${more}`} aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>{title}</h2>
        {actions !== undefined && actions !== false && <div class="panel-actions">{actions}</div>}
        {says !== undefined && <p class="panel-says">{says}</p>}
      </header>
      <div class="panel-body">{children}</div>
    </section>
  );
}

/** The top of a page: its name, what it is for, what can be done. */
export function PageHead({
  title,
  says,
  actions,
}: {
  readonly title: ComponentChildren;
  readonly says?: ComponentChildren;
  readonly actions?: ComponentChildren;
}): JSX.Element {
  return (
    <header class="page-head">
      <div>
        <h1 tabIndex={-1}>{title}</h1>
        {says !== undefined && <p>{says}</p>}
      </div>
      {actions !== undefined && <div class="page-actions">{actions}</div>}
    </header>
  );
}

/** Names with what they are: a list of facts. */
export function Facts({
  facts,
}: {
  readonly facts: readonly (readonly [name: ComponentChildren, value: ComponentChildren])[];
}): JSX.Element {
  return (
    <dl class="facts">
      {facts.map(([name, value], at) => (
        <div key={typeof name === "string" ? name : at}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
