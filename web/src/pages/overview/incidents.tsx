/** The worst of what is wrong. */
import type { JSX } from "preact";

import { readIncidents } from "../../model/incidents.ts";
import { Badge } from "../../ui/badge.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Empty, Show } from "../../ui/states.tsx";
import { Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";

const most = 4;

export function Incidents(): JSX.Element {
  const loaded = useLoaded("/incidents?limit=100", readIncidents, ["incidents"]);
  const open = loaded.data?.length ?? 0;
  return (
    <Panel
      class="first-when-narrow"
      title="Incidents"
      actions={open > most && <a href="/incidents">All {open}</a>}
    >
      <Show loaded={loaded} rows={2}>
        {(incidents) =>
          incidents.length === 0 ? (
            <Empty title="Nothing is wrong">What the detectors find shows up here at once.</Empty>
          ) : (
            <ul class="overview-incidents">
              {incidents.slice(0, most).map(({ id, title, score, last, done }) => (
                <li key={id}>
                  <a href={`/incidents/${encodeURIComponent(id)}`}>{title}</a>
                  <Badge tone={score >= 0.5 ? "bad" : "warn"}>score {score.toFixed(2)}</Badge>
                  <p class="faint small">
                    <Time at={last} /> · done: {done}
                  </p>
                </li>
              ))}
            </ul>
          )
        }
      </Show>
    </Panel>
  );
}
