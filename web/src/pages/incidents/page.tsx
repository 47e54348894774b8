/** What is wrong and what is done about it: incidents, the worst first; what is in force; the switch that stops everything. */
import type { JSX } from "preact";

import "../../acting/acting.css";
import { KillSwitch } from "../../acting/kill-switch.tsx";
import { Restrictions } from "../../acting/restrictions.tsx";
import { segment } from "../../api.ts";
import { type Incident, readIncidents, type Severity, severityOf } from "../../model/incidents.ts";
import { readResponses } from "../../model/responses.ts";
import { count } from "../../model/words.ts";
import { type PageProps, setQuery } from "../../router.ts";
import { Status, type Tone } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { PageHead, Panel } from "../../ui/panel.tsx";
import { Empty, Show } from "../../ui/states.tsx";
import { Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { Opened } from "./opened.tsx";
import { Suppressions } from "./suppressions.tsx";

export default function Page({ rest: [id], query }: PageProps): JSX.Element {
  const isAll = query.get("show") === "closed";
  return (
    <>
      <PageHead
        title="Incidents"
        says="What was found, put together by cause. The worst stands first; what is done can be undone."
      />
      <div class={id === undefined ? "split" : "split opened"}>
        <Listed key={String(isAll)} isAll={isAll} current={id} />
        <div class="stack">
          {id !== undefined && <Opened key={id} id={id} />}
          <InForce />
          <KillSwitch />
          <Suppressions />
        </div>
      </div>
    </>
  );
}

function Listed({
  isAll,
  current,
}: {
  readonly isAll: boolean;
  readonly current: string | undefined;
}): JSX.Element {
  const loaded = useLoaded(`/incidents?limit=500${isAll ? "&all=true" : ""}`, readIncidents, ["incidents"]);
  return (
    <Panel
      title={isAll ? "Closed" : "Open"}
      isFlush
      actions={
        <Button kind="quiet" onClick={() => setQuery({ show: isAll ? undefined : "closed" })}>
          {isAll ? "Show open" : "Show closed"}
        </Button>
      }
    >
      <Show loaded={loaded}>
        {(all) => {
          const incidents = all.filter(({ isOpen }) => isOpen !== isAll);
          if (incidents.length === 0) return <Nothing isAll={isAll} />;
          return (
            <ul class="stories">
              {incidents.map((incident) => (
                <li key={incident.id}>
                  <Line incident={incident} isCurrent={incident.id === current} />
                </li>
              ))}
            </ul>
          );
        }}
      </Show>
    </Panel>
  );
}

function Nothing({ isAll }: { readonly isAll: boolean }): JSX.Element {
  return isAll ? (
    <Empty title="None was closed yet">Close one when it is dealt with, and say what it was.</Empty>
  ) : (
    <Empty title="Nothing is wrong" icon="check">
      What the detectors find shows up here at once.
    </Empty>
  );
}

const tones: Readonly<Record<Severity, Tone>> = { severe: "bad", high: "bad", medium: "warn", low: "info" };

function Line({
  incident: { id, title, score, findings, last, isOpen },
  isCurrent,
}: {
  readonly incident: Incident;
  readonly isCurrent: boolean;
}): JSX.Element {
  const severity = severityOf(score);
  const query = isOpen ? "" : "?show=closed";
  return (
    <a href={`/incidents/${segment(id)}${query}`} aria-current={isCurrent ? "page" : undefined}>
      <span class="story-mark small">
        <Status
          tone={isOpen ? tones[severity] : "plain"}
          icon={isOpen ? (severity === "severe" ? "stop" : "warning") : "check"}
        >
          {isOpen ? severity : "closed"}
        </Status>
      </span>
      <span class="story-title">{title}</span>
      <span class="story-says">
        {count(findings, "finding", "findings")}, last <Time at={last} />
      </span>
    </a>
  );
}

function InForce(): JSX.Element {
  const loaded = useLoaded("/responses?limit=500", readResponses, ["responses"]);
  return (
    <Panel title="In force" says="What refuses, holds or slows calls now. Each ends by itself at its time.">
      <Show loaded={loaded} rows={2}>
        {(responses) =>
          responses.length === 0 ? (
            <Empty title="Nobody is restricted">
              Open an incident, a tool or a node of the map to restrict it for a while.
            </Empty>
          ) : (
            <Restrictions responses={responses} onDone={loaded.reload} />
          )
        }
      </Show>
    </Panel>
  );
}
