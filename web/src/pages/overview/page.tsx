/** How it stands: what is asked, what is decided, how strong the links are, what is wrong, what is new. */
import type { JSX } from "preact";

import { added, type Counts, noCounts } from "../../model/live-calls.ts";
import { readStatus } from "../../model/status.ts";
import { readTraffic, type Traffic } from "../../model/traffic.ts";
import { type PageProps, setQuery } from "../../router.ts";
import { PageHead } from "../../ui/panel.tsx";
import { Notice, Show } from "../../ui/states.tsx";
import { now } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { useTold } from "../../use-told.ts";
import { Changes } from "./changes.tsx";
import { Gateway, LastCalls, Servers } from "./gateway.tsx";
import { InForce } from "./in-force.tsx";
import { Incidents } from "./incidents.tsx";
import { Callers, Coverage, RiskChart, TrafficFigures, VerdictChart } from "./traffic.tsx";
import "./overview.css";

const minuteMs = 60_000;

const spans = [
  { name: "1h", words: "hour", title: "1 h", ms: 60 * minuteMs },
  { name: "24h", words: "24 hours", title: "24 h", ms: 24 * 60 * minuteMs },
  { name: "7d", words: "7 days", title: "7 d", ms: 7 * 24 * 60 * minuteMs },
] as const;

export default function Page({ query }: PageProps): JSX.Element {
  const span = spans.find(({ name }) => name === query.get("span")) ?? spans[1];
  // Asked for anew each minute, whether there are calls or not.
  const minute = Math.floor(now.value / minuteMs) * minuteMs;
  const status = useLoaded("/status", readStatus, ["status", "responses", "calls-slowly"]);
  const traffic = useLoaded(`/traffic?since=${minute - span.ms}`, readTraffic, ["calls-slowly"]);
  const trustDomain = status.data?.trustDomain ?? "";
  return (
    <>
      <PageHead title="Overview" actions={<Spans current={span.name} />} />
      <Show loaded={traffic} rows={5}>
        {(known) => <LiveFigures traffic={known} span={span.words} />}
      </Show>
      <div class="overview-columns">
        <div class="stack">
          {traffic.data && <VerdictChart key={span.name} traffic={traffic.data} span={span.words} />}
          <Incidents />
          <InForce />
          <LastCalls trustDomain={trustDomain} />
          {traffic.data && <RiskChart key={span.name} traffic={traffic.data} span={span.words} />}
        </div>
        <div class="stack">
          {traffic.data && <Coverage traffic={traffic.data} span={span.words} />}
          <Changes />
          {traffic.data && <Callers traffic={traffic.data} trustDomain={trustDomain} />}
          <Show loaded={status} rows={8}>
            {(known) => (
              <>
                <Servers status={known} />
                <Gateway status={known} />
                {known.notYet.map((text) => (
                  <Notice key={text} tone="warn">
                    Asked for in the config, not yet carried out: {text}
                  </Notice>
                ))}
              </>
            )}
          </Show>
        </div>
      </div>
    </>
  );
}

/** What came since the traffic was asked for is added as it comes. */
function LiveFigures({ traffic, span }: { readonly traffic: Traffic; readonly span: string }): JSX.Element {
  const since = useTold<Counts>(noCounts, (counts, batch) => added(counts, batch.counts), traffic);
  return <TrafficFigures traffic={{ ...traffic, totals: added(traffic.totals, since) }} span={span} />;
}

function Spans({ current }: { readonly current: string }): JSX.Element {
  return (
    <div class="choice" role="group" aria-label="Time that is shown">
      {spans.map(({ name, title }) => (
        <button
          key={name}
          type="button"
          aria-pressed={name === current ? "true" : "false"}
          onClick={() => setQuery({ span: name })}
        >
          {title}
        </button>
      ))}
    </div>
  );
}
