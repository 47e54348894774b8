/** The level of each dimension, and what is missing for the next. */
import type { JSX } from "preact";

import type { Level } from "../../model/compliance.ts";
import { Panel } from "../../ui/panel.tsx";

const steps = [1, 2, 3, 4] as const;

export function Levels({
  levels,
  onOpen,
}: {
  readonly levels: readonly Level[];
  readonly onOpen: (control: string) => void;
}): JSX.Element {
  return (
    <Panel title="Levels" says="The highest level whose every must, and that of each level below, is met.">
      <ul class="levels">
        {levels.map(({ dimension, level, missing }) => (
          <li key={dimension}>
            <h3>{dimension}</h3>
            <p class="level-bar">
              <strong>L{level}</strong>
              <span class="level-steps" aria-hidden="true">
                {steps.map((step) => (
                  <span key={step} class={step <= level ? "reached" : ""} />
                ))}
              </span>
              <span class="hidden">of 4</span>
            </p>
            {missing.length > 0 && (
              <details>
                <summary class="small">
                  {missing.length} missing for L{level + 1}
                </summary>
                <ul class="small">
                  {missing.map(({ control, because }) => (
                    <li key={control}>
                      <button type="button" class="link" onClick={() => onOpen(control)}>
                        {control}
                      </button>{" "}
                      <span class="faint">{because}</span>
                    </li>
                  ))}
                </ul>
              </details>
            )}
          </li>
        ))}
      </ul>
    </Panel>
  );
}
