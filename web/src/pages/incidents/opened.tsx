/** One incident: read in ten seconds, then acted on, then all of it. */
import { useSignal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";

import { Restrict } from "../../acting/restrict.tsx";
import { Undo } from "../../acting/restrictions.tsx";
import { change, may, segment } from "../../api.ts";
import {
  type Incident,
  type IncidentMoment,
  readIncident,
  severityOf,
  shortKind,
} from "../../model/incidents.ts";
import { callHref, entriesHref, toolHref } from "../../model/names.ts";
import { readResponses } from "../../model/responses.ts";
import { Badge } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Code } from "../../ui/code.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Select } from "../../ui/field.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Facts, Panel } from "../../ui/panel.tsx";
import { Show } from "../../ui/states.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";
import { useLoaded } from "../../use-loaded.ts";

export function Opened({ id }: { readonly id: string }): JSX.Element {
  const loaded = useLoaded(`/incidents/${segment(id)}`, readIncident, ["incidents", "responses"]);
  const incident = loaded.data;
  return (
    <>
      <a class="back" href="/incidents">
        <Icon name="left" size={16} /> All incidents
      </a>
      <Panel
        title={incident?.title ?? `Incident ${id}`}
        tone={incident?.isOpen === true && severityOf(incident.score) === "severe" ? "alarm" : "plain"}
        actions={incident && <Marks incident={incident} />}
      >
        <Show loaded={loaded} rows={8}>
          {(shown) => <Story incident={shown} onDone={loaded.reload} />}
        </Show>
      </Panel>
    </>
  );
}

function Marks({ incident: { isOpen, score, isHard } }: { readonly incident: Incident }): JSX.Element {
  return (
    <>
      <Badge tone={isOpen ? "bad" : "plain"} icon={isOpen ? "warning" : "check"}>
        {isOpen ? severityOf(score) : "closed"}
      </Badge>
      <Badge title="Scores put the worst first; they are no probability.">score {score.toFixed(2)}</Badge>
      <Badge title={isHard ? "A rule is right about what it says." : "What a model says is only likely."}>
        {isHard ? "seen by a rule" : "seen by a model"}
      </Badge>
    </>
  );
}

interface StoryProps {
  readonly incident: Incident;
  readonly onDone: () => void;
}

function Story({ incident, onDone }: StoryProps): JSX.Element {
  const { what, normal, done, opened, last, closed, tags, next, id } = incident;
  return (
    <article class="stack" aria-label={`Incident ${id}`}>
      <p class="lead">{what}</p>
      <Facts
        facts={[
          ["Done", done],
          ...(normal === "" ? [] : [["Before", normal] as const]),
          ["Opened", <Time key="opened" at={opened} as="full" />],
          ["Last seen", <Time key="last" at={last} />],
          ...(closed === undefined ? [] : [["Closed", <Closed key="closed" closed={closed} />] as const]),
          ...(tags.length === 0 ? [] : [["Known as", tags.join(", ")] as const]),
        ]}
      />
      {incident.isOpen && may("operator") && <Next incident={incident} onDone={onDone} />}
      <Acts incident={incident} onDone={onDone} />
      <Timeline incident={incident} />
      {next.length > 0 && (
        <details>
          <summary>On the command line</summary>
          <div class="stack">
            {next.map(({ says, command }) => (
              <div key={command}>
                <p class="small">{says}</p>
                <Code label={says} text={command} canCopy />
              </div>
            ))}
          </div>
        </details>
      )}
    </article>
  );
}

function Closed({ closed }: { readonly closed: NonNullable<Incident["closed"]> }): JSX.Element {
  return (
    <>
      <Time at={closed.at} /> by {closed.by}: {closed.because}
    </>
  );
}

type Asked = "close" | "hold" | "quarantine" | "read_only" | "suppress";

/** What to do next. */
function Next({ incident, onDone }: StoryProps): JSX.Element {
  const asked = useSignal<Asked | undefined>(undefined);
  const { targets, suppression } = incident;
  const close = (): void => void (asked.value = undefined);
  return (
    <section aria-label="What to do next" class="stack">
      <h3>What to do next</h3>
      <div class="row">
        {targets.length > 0 && (
          <>
            <Button kind="danger" icon="stop" onClick={() => (asked.value = "quarantine")}>
              Quarantine
            </Button>
            <Button icon="eye" onClick={() => (asked.value = "read_only")}>
              Read only
            </Button>
            <Button icon="clock" onClick={() => (asked.value = "hold")}>
              Hold
            </Button>
          </>
        )}
        <Button kind="primary" icon="check" onClick={() => (asked.value = "close")}>
          Close
        </Button>
        {suppression !== undefined && (
          <Button kind="quiet" onClick={() => (asked.value = "suppress")}>
            It is harmless
          </Button>
        )}
      </div>
      {asked.value === "close" && <Close id={incident.id} onDone={onDone} onClose={close} />}
      {asked.value === "suppress" && suppression !== undefined && (
        <Suppress suppression={suppression} onDone={onDone} onClose={close} />
      )}
      {asked.value !== undefined && asked.value !== "close" && asked.value !== "suppress" && (
        <Restrict key={asked.value} targets={targets} action={asked.value} onDone={onDone} onClose={close} />
      )}
    </section>
  );
}

interface AskProps {
  readonly onDone: () => void;
  readonly onClose: () => void;
}

function Close({ id, onDone, onClose }: AskProps & { readonly id: string }): JSX.Element {
  const close = async (because: string): Promise<void> => {
    await change("POST", `/incidents/${segment(id)}/close`, { because });
    toast("Closed.");
    onDone();
  };
  return (
    <Confirm
      title="Close this incident?"
      says="What is found from now on opens a new one. Restrictions stay in force until their time, or until they are lifted."
      verb="Close"
      reasonLabel="What was it?"
      onConfirm={close}
      onClose={onClose}
    />
  );
}

const longest = [
  { value: "1d", label: "1 day" },
  { value: "7d", label: "7 days" },
  { value: "30d", label: "30 days" },
  { value: "90d", label: "90 days" },
] as const;

function Suppress({
  suppression,
  onDone,
  onClose,
}: AskProps & { readonly suppression: NonNullable<Incident["suppression"]> }): JSX.Element {
  const lasts = useSignal("30d");
  const { kind, source, caller, tool } = suppression;
  const suppress = async (because: string): Promise<void> => {
    await change("POST", "/suppressions", { ...suppression, for: lasts.value, because });
    toast("Its like isn't told for a while.");
    onDone();
  };
  return (
    <Confirm
      title="Is this known and harmless?"
      says={
        <>
          Findings of the kind <code>{kind}</code> of <code>{source ?? caller ?? tool}</code> open no incident
          for a while. They still stand in the audit log.
        </>
      }
      verb="Don't tell me"
      onConfirm={suppress}
      onClose={onClose}
    >
      <Select
        label="How long"
        value={lasts.value}
        options={longest}
        onChange={(value) => (lasts.value = value)}
      />
    </Confirm>
  );
}

/** What was done, each that still lasts with its undo. */
function Acts({ incident: { acts }, onDone }: StoryProps): JSX.Element | null {
  const loaded = useLoaded("/responses?limit=500", readResponses, ["responses"]);
  if (acts.length === 0) return null;
  const shownUndo = new Set<string>();
  const undoOf = (id: string | undefined): ComponentChildren => {
    const response = loaded.data?.find((each) => each.id === id);
    if (response === undefined || shownUndo.has(response.id) || !may("operator")) return undefined;
    shownUndo.add(response.id);
    const done = (): void => {
      loaded.reload();
      onDone();
    };
    return <Undo response={response} onDone={done} />;
  };
  return (
    <section aria-label="What was done" class="stack">
      <h3>What was done</h3>
      <ol class="moments">
        {acts.toReversed().map((moment, at) => (
          <li key={at} class="act">
            <Time at={moment.at} as="clock" />
            <div class="stack">
              <p class="moment-says">{moment.says}</p>
              {undoOf(moment.response)}
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Timeline({ incident: { timeline, findings } }: { readonly incident: Incident }): JSX.Element {
  const isPart = findings > timeline.length;
  return (
    <section aria-label="What was seen" class="stack">
      <h3>What was seen{isPart && `: the first and the newest of ${findings}`}</h3>
      <ol class="moments">
        {timeline.map((moment, at) => (
          <li key={at}>
            <Time at={moment.at} as="clock" />
            <Seen moment={moment} />
          </li>
        ))}
      </ol>
    </section>
  );
}

function Seen({ moment }: { readonly moment: IncidentMoment }): JSX.Element {
  const { kind, says, callId, caller, target, tool } = moment;
  return (
    <div>
      <p class="moment-says">
        <Badge>{shortKind(kind)}</Badge> {says}
      </p>
      <p class="small faint moment-says">{[caller, target].filter((name) => name !== "").join(" → ")}</p>
      {callId !== "" && (
        <p class="moment-links">
          <a href={callHref(callId)}>The call</a>
          <a href={entriesHref(callId)}>Its entries</a>
          {tool?.server !== undefined && tool.tool !== undefined && (
            <a href={toolHref(tool.server, tool.tool)}>The tool</a>
          )}
        </p>
      )}
    </div>
  );
}
