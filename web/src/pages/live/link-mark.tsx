/** How a link is protected, in a word. */
import type { JSX } from "preact";

import type { CallLink } from "../../model/status.ts";
import { Status } from "../../ui/badge.tsx";

export function LinkMark({ link }: { readonly link: CallLink }): JSX.Element {
  const { keyExchange, group, certificate } = link;
  const title = [group, certificate].filter((part) => part !== "").join(", ");
  if (keyExchange === "hybrid")
    return (
      <Status tone="good" icon="lock" title={title}>
        hybrid
      </Status>
    );
  return keyExchange === "classical" ? (
    <Status tone="warn" icon="warning" title={title}>
      classical
    </Status>
  ) : (
    <Status title="Nothing is known of it.">unknown</Status>
  );
}
