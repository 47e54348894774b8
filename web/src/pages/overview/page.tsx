/** How it stands: what is asked, what is decided, how strong the links are, what is wrong, what is new. */
import type { JSX } from "preact";

import { readStatus } from "../../model/status.ts";
import { readTraffic } from "../../model/traffic.ts";
import { type PageProps, setQuery } from "../../router.ts";
import { PageHead } from "../../ui/panel.tsx";
import { Notice, Show } from "../../ui/states.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { Changes } from "./changes.tsx";
import { Gateway, LastCalls, Servers } from "./gateway.tsx";
import { InForce } from "./in-force.tsx";
import { Incidents } from "./incidents.tsx";
import { Callers, Coverage, RiskChart, TrafficFigures, VerdictChart } from "./traffic.tsx";
import "./overview.css";

const spans = [
  { name: "1h", words: "hour", title: "1 h" },
  { name: "24h", words: "24 hours", title: "24 h" },
  { name: "7d", words: "7 days", title: "7 d" },
] as const;

export default function Page({ query }: PageProps): JSX.Element {
  const span = spans.find(({ name }) => name === query.get("span")) ?? spans[1];
  const status = useLoaded("/status", readStatus, ["status", "responses", "calls"]);
  const traffic = useLoaded(`/traffic?span=${span.name}`, readTraffic, ["calls"]);
  const trustDomain = status.data?.trustDomain ?? "";
  return (
    <>
      <PageHead title="Overview" actions={<Spans current={span.name} />} />
      <Show loaded={traffic} rows={5}>
        {(known) => <TrafficFigures traffic={known} span={span.words} />}
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

function Spans({ current }: { readonly current: string }): JSX.Element {
  return (
    <div class="choice" role="group" aria-label="Time that is shown">
      {spans.map(({ name, title, words }) => (
        <button
          key={name}
          type="button"
          aria-pressed={name === current ? "true" : "false"}
          aria-label={`The last ${words}`}
          onClick={() => setQuery({ span: name })}
        >
          {title}
        </button>
      ))}
    </div>
  );
}
