/** What this deployment's own log and tests show of each framework's controls, with the way to every entry. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { apiHref, change, may } from "../../api.ts";
import {
  type Framework,
  readReport,
  type Report,
  shortName,
  type Verdict,
  verdicts,
} from "../../model/compliance.ts";
import { goTo, type PageProps, setQuery } from "../../router.ts";
import { Button, LinkButton } from "../../ui/button.tsx";
import { Select } from "../../ui/field.tsx";
import { PageHead, Panel } from "../../ui/panel.tsx";
import { Empty, Failure, Show } from "../../ui/states.tsx";
import { Tabs } from "../../ui/tabs.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";
import { useAction } from "../../use-action.ts";
import { type Loaded, useLoaded } from "../../use-loaded.ts";
import "./compliance.css";
import { ControlItem } from "./control.tsx";
import { Levels } from "./levels.tsx";
import { Tests } from "./tests.tsx";

export default function Page({ rest: [name], query }: PageProps): JSX.Element {
  const loaded = useLoaded("/compliance", readReport);
  return (
    <>
      <PageHead
        title="Compliance"
        says="What this deployment's own log and tests show, never what the program could do."
        actions={<Actions loaded={loaded} />}
      />
      <Show loaded={loaded} rows={12}>
        {(report) => <Whole report={report} name={name} query={query} />}
      </Show>
    </>
  );
}

function Actions({ loaded }: { readonly loaded: Loaded<Report> }): JSX.Element {
  const action = useAction();
  const run = async (): Promise<void> => {
    const report = await change("POST", "/compliance/tests", {}, readReport);
    const wrong = report.tests.filter(({ isRefusal, result }) => isRefusal && result?.result === "failed");
    toast(
      wrong.length === 0 ? report.why : `${wrong.length} things weren't refused.`,
      wrong.length === 0 ? "good" : "bad",
    );
    loaded.reload();
  };
  return (
    <>
      {may("operator") && (
        <Button kind="primary" icon="refresh" isBusy={action.isBusy} onClick={() => void action.run(run)}>
          Run tests
        </Button>
      )}
      <LinkButton icon="download" href={apiHref("/compliance/export.html")} download="">
        Report
      </LinkButton>
      <LinkButton icon="download" href={apiHref("/compliance/export.json")} download="">
        JSON
      </LinkButton>
      {action.failure !== undefined && <Failure says={action.failure} />}
    </>
  );
}

interface WholeProps {
  readonly report: Report;
  readonly name: string | undefined;
  readonly query: URLSearchParams;
}

function Whole({ report, name, query }: WholeProps): JSX.Element {
  const { frameworks, at, logSize, why } = report;
  const tabs = [
    ...frameworks.map((each) => ({ name: each.name, label: <TabLabel framework={each} /> })),
    { name: "tests", label: "Tests" },
  ];
  const current = tabs.find((tab) => tab.name === name)?.name ?? tabs[0]?.name ?? "tests";
  const framework = frameworks.find((each) => each.name === current);
  return (
    <>
      <p class="faint small">
        As of <Time at={at} as="full" />, {logSize} entries. {why}
      </p>
      <Tabs
        label="Frameworks"
        tabs={tabs}
        current={current}
        onChange={(next) => goTo(`/compliance/${next}`, { replace: true })}
      >
        {framework === undefined ? (
          <Tests report={report} />
        ) : (
          <One key={framework.name} framework={framework} asked={query.get("verdict")} />
        )}
      </Tabs>
    </>
  );
}

function TabLabel({ framework }: { readonly framework: Framework }): JSX.Element {
  const { met } = framework.counts;
  return (
    <>
      {shortName(framework)}{" "}
      <span class="faint">
        {met}/{framework.controls.length}
        <span class="hidden"> met</span>
      </span>
    </>
  );
}

function One({
  framework,
  asked,
}: {
  readonly framework: Framework;
  readonly asked: string | null;
}): JSX.Element {
  const { title, note, source, controls, levels, counts } = framework;
  const verdict = verdicts.find((each) => each === asked);
  const shown = verdict === undefined ? controls : controls.filter((each) => each.verdict === verdict);
  const opened = useSignal<string | undefined>(undefined);
  const open = (id: string): void => {
    if (verdict !== undefined) setQuery({ verdict: undefined });
    opened.value = id;
  };
  return (
    <>
      {levels.length > 0 && <Levels levels={levels} onOpen={open} />}
      <Panel
        title={title}
        says={
          <>
            {note} <a href={source}>The framework itself</a>
          </>
        }
        actions={<Which verdict={verdict} counts={counts} />}
        isFlush
      >
        {shown.length === 0 ? (
          <Empty title="None of them">No control of this framework has that verdict.</Empty>
        ) : (
          <ul class="controls">
            {shown.map((control) => (
              <ControlItem key={control.id} control={control} isAsked={opened.value === control.id} />
            ))}
          </ul>
        )}
      </Panel>
    </>
  );
}

function Which({
  verdict,
  counts,
}: {
  readonly verdict: Verdict | undefined;
  readonly counts: Readonly<Record<Verdict, number>>;
}): JSX.Element {
  const all = verdicts.reduce((sum, each) => sum + counts[each], 0);
  return (
    <Select
      label="Show"
      isLabelHidden
      value={verdict ?? ""}
      options={[
        { value: "", label: `All ${all}` },
        ...verdicts.map((each) => ({ value: each, label: `${counts[each]} ${each}` })),
      ]}
      onChange={(value) => setQuery({ verdict: value === "" ? undefined : value })}
    />
  );
}
