/** One control: its verdict, and what shows it. */
import { Fragment, type JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";

import type { Control, Example, Verdict } from "../../model/compliance.ts";
import { Status, type Tone } from "../../ui/badge.tsx";
import { Time } from "../../ui/time.tsx";

const tones: Readonly<Record<Verdict, Tone>> = { met: "good", "not met": "bad", "no evidence": "plain" };

/** @param props.isAsked somebody asked for this one: it is opened, and shown */
export function ControlItem({
  control,
  isAsked,
}: {
  readonly control: Control;
  readonly isAsked: boolean;
}): JSX.Element {
  const { id, title, isOnlyShould, verdict } = control;
  const self = useRef<HTMLDetailsElement>(null);
  useEffect(() => {
    if (!isAsked || self.current === null) return;
    self.current.open = true;
    self.current.scrollIntoView({ block: "center" });
    self.current.querySelector("summary")?.focus({ preventScroll: true });
  }, [isAsked]);
  return (
    <li>
      <details ref={self}>
        <summary>
          <Status tone={tones[verdict]}>{verdict}</Status>
          <code>{id}</code>
          <span class="control-title">
            {title}
            {isOnlyShould && <span class="faint"> (should)</span>}
          </span>
        </summary>
        <Inside control={control} />
      </details>
    </li>
  );
}

function Inside({ control: { asks, because, evidence, tests } }: { readonly control: Control }): JSX.Element {
  const found = evidence.filter(({ count }) => count > 0);
  return (
    <div class="control-inside">
      <p>{asks}</p>
      {because.length > 0 && (
        <section>
          <h3>Missing</h3>
          <ul>
            {because.map((each) => (
              <li key={each}>{each}</li>
            ))}
          </ul>
        </section>
      )}
      {found.length > 0 && (
        <section>
          <h3>Entries</h3>
          <ul>
            {found.map(({ says, count, isLeast, examples }) => (
              <li key={says}>
                {says}: {count}
                {isLeast && " or more"}, such as{" "}
                {examples.map((example) => (
                  <Fragment key={example.index}>
                    <Entry entry={example} />{" "}
                  </Fragment>
                ))}
              </li>
            ))}
          </ul>
        </section>
      )}
      {tests.length > 0 && (
        <section>
          <h3>Tests</h3>
          <ul>
            {tests.map(({ test, result, says, entry }) => (
              <li key={test}>
                <code>{test}</code> {result} <Entry entry={entry} /> <span class="faint said">{says}</span>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  );
}

function Entry({ entry: { index, at } }: { readonly entry: Example }): JSX.Element {
  return (
    <span class="entry-link">
      <a href={`/audit/${index}`}>entry {index}</a> (<Time at={at} />)
    </span>
  );
}
