/** What the patterns of the links mean, as far as there are such links. */
import type { JSX } from "preact";

import { type Graph, postures, postureWords } from "../../model/graph.ts";

export function Legend({ graph: { links } }: { readonly graph: Graph }): JSX.Element {
  const used = postures.filter((posture) => links.some((link) => link.posture === posture));
  return (
    <ul class="legend" aria-label="Patterns of the links">
      {used.map((posture) => (
        <li key={posture}>
          <svg class="strands" width="34" height="8" viewBox="0 0 34 8" aria-hidden="true">
            <path class={`strand ${posture}`} d="M0 4H34" stroke-width="4" />
          </svg>
          {postureWords[posture]}
        </li>
      ))}
    </ul>
  );
}
