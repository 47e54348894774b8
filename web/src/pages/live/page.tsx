/** Calls as they pass: the stream, stopped for a look where somebody wants that, and one call in full. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useRef } from "preact/hooks";

import { type Call, readCalls } from "../../model/status.ts";
import { callHref, shown } from "../../model/names.ts";
import { type CallFilter, nothingWatched, shownOf, watch, type Watched } from "../../model/watched-calls.ts";
import { compact } from "../../model/words.ts";
import { goTo, type PageProps, setQuery } from "../../router.ts";
import { Badge, Verdict } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Field, Select } from "../../ui/field.tsx";
import { PageHead, Panel } from "../../ui/panel.tsx";
import { Empty, Show } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { useTold } from "../../use-told.ts";
import { LinkMark } from "./link-mark.tsx";
import { Opened } from "./opened.tsx";
import "./live.css";

export default function Page({ rest: [id], query }: PageProps): JSX.Element {
  const filter = { text: query.get("text") ?? "", verdict: query.get("verdict") ?? "" };
  return (
    <>
      <PageHead
        title="Live"
        says="Calls as they pass. Refused ones are shown first where more come than can be read; all are counted."
      />
      <div class={id === undefined ? "stack" : "split opened live-opened"}>
        <Stream filter={filter} current={id} />
        {id !== undefined && <Opened key={id} id={id} />}
      </div>
    </>
  );
}

interface StreamProps {
  readonly filter: CallFilter;
  readonly current: string | undefined;
}

function Stream({ filter, current }: StreamProps): JSX.Element {
  const loaded = useLoaded("/calls?limit=100", readCalls);
  const told = useTold<Watched>(nothingWatched, (watched, batch) => watch(watched, batch, filter));
  const isPaused = useSignal(false);
  const held = useRef(told);
  if (!isPaused.value) held.current = told;
  const { counts, told: came } = told;
  const missed = counts.calls - held.current.counts.calls;
  return (
    <Panel
      title="Calls"
      isFlush
      says={
        came < counts.calls
          ? `${compact(counts.calls)} since this page was opened; ${compact(came)} of them were sent here.`
          : `${compact(counts.calls)} since this page was opened.`
      }
      actions={
        <Button icon={isPaused.value ? "play" : "pause"} onClick={() => (isPaused.value = !isPaused.value)}>
          {isPaused.value ? `Go on${missed > 0 ? ` (${compact(missed)} new)` : ""}` : "Pause"}
        </Button>
      }
    >
      <Filters filter={filter} />
      <Show loaded={loaded} rows={10}>
        {(known) => <Calls calls={shownOf(held.current, known, filter)} current={current} />}
      </Show>
    </Panel>
  );
}

const verdicts = [
  { value: "", label: "All verdicts" },
  { value: "allowed", label: "Allowed" },
  { value: "denied", label: "Denied" },
  { value: "held", label: "Held" },
  { value: "error", label: "Failed" },
] as const;

function Filters({ filter }: { readonly filter: CallFilter }): JSX.Element {
  return (
    <form class="live-filters" role="search" onSubmit={(event) => event.preventDefault()}>
      <Field
        label="Filter"
        value={filter.text}
        placeholder="Caller, tool, rule, outcome"
        isFilter
        onInput={(text) => setQuery({ text })}
      />
      <Select
        label="Verdict"
        value={filter.verdict}
        options={verdicts}
        onChange={(verdict) => setQuery({ verdict })}
      />
    </form>
  );
}

const columns: readonly Column<Call>[] = [
  {
    name: "time",
    head: "Time",
    cell: ({ atUnixMs }) => <Time at={atUnixMs} as="clock" />,
  },
  { name: "verdict", head: "Verdict", cell: ({ verdict }) => <Verdict verdict={verdict} /> },
  {
    name: "what",
    head: "Call",
    isMain: true,
    isWide: true,
    cell: ({ what, callId }) => <a href={callHref(callId)}>{shown(what)}</a>,
  },
  { name: "caller", head: "Caller", isExtra: true, cell: ({ caller }) => shown(caller) },
  { name: "rule", head: "Rule", isExtra: true, cell: ({ rule }) => shown(rule ?? "") },
  { name: "link", head: "Link", isExtra: true, cell: ({ link }) => <LinkMark link={link} /> },
  {
    name: "risk",
    head: "Risk",
    isNumber: true,
    isExtra: true,
    cell: ({ risk, findings }) => (
      <>
        {risk === null ? "" : risk.toFixed(2)}
        {findings.length > 0 && (
          <>
            {" "}
            <Badge tone="warn" icon="warning" title={findings.join(", ")}>
              {findings.length}
            </Badge>
          </>
        )}
      </>
    ),
  },
  { name: "ms", head: "ms", isNumber: true, isExtra: true, cell: ({ ms }) => (ms === null ? "…" : ms) },
];

function Calls({
  calls,
  current,
}: {
  readonly calls: readonly Call[];
  readonly current: string | undefined;
}): JSX.Element {
  return (
    <div class="live-calls">
      <Table
        label="Calls, newest first"
        columns={columns}
        rows={calls}
        keyOf={({ callId }) => callId}
        isCurrent={({ callId }) => callId === current}
        onOpen={({ callId }) => goTo(callHref(callId) + location.search)}
        empty={
          <Empty title="No call fits">
            Calls show up here as they come; `latticegate connect` gives a client its way in.
          </Empty>
        }
      />
    </div>
  );
}
