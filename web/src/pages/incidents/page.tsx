/** What is wrong: each incident as a story, with what to do next. */
import type { JSX } from "preact";

import { type Incident, readIncidents } from "../../model/incidents.ts";
import type { PageProps } from "../../router.ts";
import { Badge } from "../../ui/badge.tsx";
import { Code } from "../../ui/code.tsx";
import { Facts, PageHead, Panel } from "../../ui/panel.tsx";
import { Empty, Show } from "../../ui/states.tsx";
import { Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";

export default function Page({ rest: [id] }: PageProps): JSX.Element {
  const loaded = useLoaded("/incidents?limit=100", readIncidents, ["incidents"]);
  return (
    <>
      <PageHead title="Incidents" says="What the detectors found, put together by caller and tool." />
      <Show loaded={loaded}>
        {(incidents) =>
          incidents.length === 0 ? (
            <Empty title="Nothing is wrong" icon="check">
              What the detectors find shows up here at once.
            </Empty>
          ) : (
            incidents.map((incident) => (
              <Story key={incident.id} incident={incident} isOpen={incident.id === id} />
            ))
          )
        }
      </Show>
    </>
  );
}

function Story({ incident, isOpen }: { readonly incident: Incident; readonly isOpen: boolean }): JSX.Element {
  const { id, title, score, last, what, normal, done, next, timeline } = incident;
  const facts = [
    ["What", what],
    ...(normal === "" ? [] : [["Normal", normal] as const]),
    ["Done", done],
  ] as const;
  return (
    <Panel
      title={<a href={`/incidents/${encodeURIComponent(id)}`}>{title}</a>}
      actions={<Badge tone="bad">score {score.toFixed(2)}</Badge>}
      says={
        <>
          {id}, last <Time at={last} />
        </>
      }
    >
      <Facts facts={facts} />
      <details open={isOpen}>
        <summary>
          What next, and {timeline.length} {timeline.length === 1 ? "finding" : "findings"}
        </summary>
        <div class="stack">
          {next.map(({ says, command }) => (
            <div key={command}>
              <p class="small">{says}</p>
              <Code label={says} text={command} canCopy />
            </div>
          ))}
          <Facts
            facts={timeline.map(({ at, kind, says }, index) => [
              `${index + 1}. ${kind}`,
              <span key={index}>
                {says} <Time at={at} as="clock" />
              </span>,
            ])}
          />
        </div>
      </details>
    </Panel>
  );
}
