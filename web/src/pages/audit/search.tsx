/** Entries that fit what is asked, kept in the address so that it can be sent to somebody. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import {
  actorOf,
  type LogEntry,
  readFound,
  searchFields,
  searchPath,
  searchTimes,
} from "../../model/audit.ts";
import { shown } from "../../model/names.ts";
import { goTo, setQuery } from "../../router.ts";
import { Verdict } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Field, Select } from "../../ui/field.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Empty, Notice, Show } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";

const labels = {
  text: "Text",
  caller: "Caller",
  tool: "Tool",
  event: "Event",
  rule: "Rule",
  call: "Call's id",
} as const;
const hints = {
  text: "anywhere in an entry",
  caller: "spiffe://… in full",
  tool: "bank/pay or bank/*",
  event: "call.decision",
  rule: "a rule's name",
  call: "01a2…",
} as const;
const times = { since: "Since", until: "Until" } as const;
const fields = [...searchFields, ...searchTimes];
const names = searchFields.filter((name) => name !== "verdict");
const verdicts = [
  { value: "", label: "All" },
  { value: "allowed", label: "Allowed" },
  { value: "denied", label: "Denied" },
  { value: "deferred", label: "Held" },
  { value: "error", label: "Failed" },
] as const;

export function Search({ query }: { readonly query: URLSearchParams }): JSX.Element {
  const asked = fields.map((name) => query.get(name) ?? "");
  return (
    <div class="stack">
      <Form key={asked.join("\n")} query={query} />
      <Results key={`results ${asked.join("\n")}`} query={query} />
    </div>
  );
}

function Form({ query }: { readonly query: URLSearchParams }): JSX.Element {
  const typed = useSignal(Object.fromEntries(fields.map((name) => [name, query.get(name) ?? ""])));
  const ask = (event: Event): void => {
    event.preventDefault();
    setQuery(typed.value);
  };
  return (
    <form class="audit-search" role="search" onSubmit={ask}>
      {names.map((name) => (
        <Field
          key={name}
          label={labels[name]}
          value={typed.value[name] ?? ""}
          placeholder={hints[name]}
          isFilter={name === "text"}
          onInput={(value) => (typed.value = { ...typed.value, [name]: value })}
        />
      ))}
      {searchTimes.map((name) => (
        <Field
          key={name}
          label={times[name]}
          type="datetime-local"
          value={typed.value[name] ?? ""}
          onInput={(value) => (typed.value = { ...typed.value, [name]: value })}
        />
      ))}
      <Select
        label="Verdict"
        value={typed.value["verdict"] ?? ""}
        options={verdicts}
        onChange={(verdict) => (typed.value = { ...typed.value, verdict })}
      />
      <Button type="submit" kind="primary" icon="search">
        Search
      </Button>
    </form>
  );
}

const columns: readonly Column<LogEntry>[] = [
  {
    name: "index",
    head: "Entry",
    isNumber: true,
    isMain: true,
    cell: ({ index }) => <a href={`/audit/${index}`}>{index}</a>,
  },
  { name: "at", head: "At", cell: ({ atUnixMs }) => <Time at={atUnixMs} as="full" /> },
  { name: "event", head: "Event", cell: ({ event }) => event },
  { name: "outcome", head: "Outcome", cell: ({ outcome }) => <Verdict verdict={outcome} /> },
  { name: "who", head: "Who", isExtra: true, cell: (entry) => shown(actorOf(entry)) },
  { name: "tool", head: "Tool", isExtra: true, cell: ({ tool }) => shown(tool) },
  {
    name: "rule",
    head: "Rule",
    isExtra: true,
    cell: ({ facts }) => shown(facts.find(([name]) => name === "rule")?.[1] ?? ""),
  },
];

function Results({ query }: { readonly query: URLSearchParams }): JSX.Element {
  const cursor = query.get("page") ?? "";
  const loaded = useLoaded(searchPath(query, cursor), readFound);
  return (
    <Panel
      title="Entries"
      says="Newest first; of a call the first entry stands for all."
      isFlush
      actions={
        <Button icon="refresh" onClick={loaded.reload} isBusy={loaded.isLoading}>
          Ask again
        </Button>
      }
    >
      <Show loaded={loaded} rows={10}>
        {({ entries, next, notes }) => (
          <>
            {notes.map((note) => (
              <Notice key={note}>{note}</Notice>
            ))}
            <Table
              label="Entries of the audit log"
              columns={columns}
              rows={entries}
              keyOf={({ index }) => String(index)}
              onOpen={({ index }) => goTo(`/audit/${index}`)}
              empty={<Empty title="Nothing in the log fits">Ask for less, or for another spelling.</Empty>}
            />
            <div class="audit-pages">
              {cursor !== "" && <Button onClick={() => setQuery({ page: undefined })}>Newest</Button>}
              {next !== undefined && <Button onClick={() => setQuery({ page: next })}>Older</Button>}
            </div>
          </>
        )}
      </Show>
    </Panel>
  );
}
