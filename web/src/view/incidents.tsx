/** Open incidents, the worst first: each a story that is read in ten seconds, then what it is made of. */
import { Fragment, type JSX } from "preact";

import type { Incident } from "../model/incidents.ts";

export function Incidents({ incidents }: { readonly incidents: readonly Incident[] }): JSX.Element {
  const worstFirst = incidents.toSorted((a, b) => b.score - a.score);
  return (
    <section aria-labelledby="incidents">
      <h2 id="incidents">Incidents</h2>
      {worstFirst.length === 0 && <p class="empty">Nothing is open.</p>}
      {worstFirst.map((incident) => (
        <Story key={incident.id} incident={incident} />
      ))}
    </section>
  );
}

function Story({ incident }: { readonly incident: Incident }): JSX.Element {
  const { id, title, score, last, what, normal, done, next, timeline } = incident;
  return (
    <article aria-label={`Incident ${id}`} class="incident">
      <h3>{title}</h3>
      <dl class="request">
        <dt>What</dt>
        <dd>{what}</dd>
        {normal !== "" && (
          <>
            <dt>Normal</dt>
            <dd>{normal}</dd>
          </>
        )}
        <dt>Done</dt>
        <dd>{done}</dd>
      </dl>
      <details>
        <summary>
          What next, and {timeline.length} {timeline.length === 1 ? "finding" : "findings"}
        </summary>
        <dl class="request">
          {next.map(({ says, command }) => (
            <Fragment key={command}>
              <dt>{says}</dt>
              <dd>
                <code>{command}</code>
              </dd>
            </Fragment>
          ))}
        </dl>
        <ol class="timeline">
          {timeline.map(({ at, kind, says, callId }) => (
            <li key={`${callId} ${kind}`}>
              <time dateTime={new Date(at).toISOString()}>{new Date(at).toLocaleTimeString()}</time> {kind}:{" "}
              {says}
            </li>
          ))}
        </ol>
      </details>
      <p class="small">
        {id}, score {score.toFixed(2)}, last at {new Date(last).toLocaleString()}
      </p>
    </article>
  );
}
