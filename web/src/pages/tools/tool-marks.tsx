/** How a tool stands, and what it may do, each in a word. */
import type { JSX } from "preact";

import { markWords } from "../../model/tools.ts";
import { Badge, Status, type Tone } from "../../ui/badge.tsx";
import type { IconName } from "../../ui/icon.tsx";

const states: Readonly<Record<string, readonly [Tone, IconName]>> = {
  pinned: ["good", "lock"],
  changed: ["warn", "warning"],
  new: ["info", "info"],
  held: ["bad", "stop"],
  removed: ["plain", "cross"],
};

export function ToolState({ state }: { readonly state: string }): JSX.Element {
  const [tone, icon] = states[state] ?? ["plain", "dot"];
  return (
    <Status tone={tone} icon={icon}>
      {state}
    </Status>
  );
}

const tones: Readonly<Record<string, Tone>> = {
  read: "good",
  write: "plain",
  destructive: "bad",
  egress: "warn",
  "untrusted-input": "warn",
  "private-data": "info",
};

export function MarkBadges({ may }: { readonly may: readonly string[] }): JSX.Element {
  return (
    <span class="mark-badges">
      {may.map((mark) => (
        <Badge key={mark} tone={tones[mark] ?? "plain"} title={mark}>
          {markWords[mark] ?? mark}
        </Badge>
      ))}
    </span>
  );
}
