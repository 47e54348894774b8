/** How a request stands, in a word. */
import type { JSX } from "preact";

import { Status, type Tone } from "../../ui/badge.tsx";
import type { IconName } from "../../ui/icon.tsx";

const marks: Readonly<Record<string, readonly [Tone, IconName, string]>> = {
  waiting: ["info", "clock", "waits"],
  approved: ["good", "check", "approved"],
  denied: ["bad", "cross", "denied"],
  used: ["good", "check", "went through"],
  expired: ["plain", "clock", "expired"],
};

export function RequestState({ state }: { readonly state: string }): JSX.Element {
  const [tone, icon, word] = marks[state] ?? ["plain", "dot", state];
  return (
    <Status tone={tone} icon={icon}>
      {word}
    </Status>
  );
}
