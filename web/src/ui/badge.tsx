/** States and marks: an icon, a word, a colour; never the colour alone. */
import type { ComponentChildren, JSX } from "preact";

import { Icon, type IconName } from "./icon.tsx";

export type Tone = "plain" | "good" | "warn" | "bad" | "info" | "accent";

const iconOf: Readonly<Record<Tone, IconName>> = {
  plain: "dot",
  good: "check",
  warn: "warning",
  bad: "cross",
  info: "info",
  accent: "dot",
};

interface BadgeProps {
  readonly tone?: Tone | undefined;
  readonly icon?: IconName | undefined;
  readonly title?: string | undefined;
  readonly children: ComponentChildren;
}

/** A filled mark. */
export function Badge({ tone = "plain", icon, title, children }: BadgeProps): JSX.Element {
  return (
    <span class={`badge ${tone}`} title={title}>
      {icon && <Icon name={icon} size={14} />}
      {children}
    </span>
  );
}

/** A state in running text or a table: icon and word. */
export function Status({ tone = "plain", icon, title, children }: BadgeProps): JSX.Element {
  return (
    <span class={`status ${tone}`} title={title}>
      <Icon name={icon ?? iconOf[tone]} size={15} />
      <span>{children}</span>
    </span>
  );
}

const verdictTones: Readonly<Record<string, Tone>> = {
  allowed: "good",
  denied: "bad",
  error: "warn",
  held: "info",
  deferred: "info",
};

export function Verdict({ verdict }: { readonly verdict: string }): JSX.Element {
  const tone = verdictTones[verdict] ?? "plain";
  return (
    <Status tone={tone} icon={tone === "info" ? "clock" : iconOf[tone]}>
      {verdict}
    </Status>
  );
}
