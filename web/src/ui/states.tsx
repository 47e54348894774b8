/** What stands where there is nothing, not yet anything, or something wrong. */
import type { ComponentChildren, JSX } from "preact";

import type { Loaded } from "../use-loaded.ts";
import { Button } from "./button.tsx";
import { Icon, type IconName } from "./icon.tsx";

interface EmptyProps {
  readonly title: ComponentChildren;
  /** What to do, or why that is well. */
  readonly children?: ComponentChildren;
  readonly icon?: IconName | undefined;
  readonly actions?: ComponentChildren;
}

export function Empty({ title, children, icon, actions }: EmptyProps): JSX.Element {
  return (
    <div class="empty">
      {icon && <Icon name={icon} size={22} />}
      <p class="empty-title">{title}</p>
      {children !== undefined && <p>{children}</p>}
      {actions}
    </div>
  );
}

export function Failure({
  says,
  onRetry,
}: {
  readonly says: ComponentChildren;
  readonly onRetry?: (() => void) | undefined;
}): JSX.Element {
  return (
    <div class="failure" role="alert">
      <Icon name="warning" size={17} />
      <p>{says}</p>
      {onRetry && (
        <Button icon="refresh" onClick={onRetry}>
          Try again
        </Button>
      )}
    </div>
  );
}

/** A notice in running content. */
export function Notice({
  tone = "info",
  children,
}: {
  readonly tone?: "info" | "warn" | "bad" | "good" | undefined;
  readonly children: ComponentChildren;
}): JSX.Element {
  const icon = { info: "info", warn: "warning", bad: "stop", good: "check" } as const;
  return (
    <div class={`notice ${tone}`}>
      <Icon name={icon[tone]} size={17} />
      <div>{children}</div>
    </div>
  );
}

/** What was loaded; until then a quiet place of about its height, and what went wrong above the last that was known. */
export function Show<T>({
  loaded,
  children,
  rows = 4,
}: {
  readonly loaded: Loaded<T>;
  readonly children: (data: T) => ComponentChildren;
  /** Height of the place that is kept while it loads for the first time. */
  readonly rows?: number | undefined;
}): JSX.Element {
  const { data, failure, reload } = loaded;
  return (
    <>
      {failure && <Failure says={failure.message} onRetry={reload} />}
      {data === undefined ? !failure && <Waiting rows={rows} /> : children(data)}
    </>
  );
}

function Waiting({ rows }: { readonly rows: number }): JSX.Element {
  return (
    <div class="waiting" role="status">
      <span class="hidden">Loading</span>
      {Array.from({ length: rows }, (_, at) => (
        <span key={at} class="waiting-row" />
      ))}
    </div>
  );
}
