/** How it stands: what is asked, what is decided, how strong the links are, what is wrong, what is new. */
import type { JSX } from "preact";

import { readStatus } from "../../model/status.ts";
import { PageHead } from "../../ui/panel.tsx";
import { Notice, Show } from "../../ui/states.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { Gateway, LastCalls, Servers } from "./gateway.tsx";
import { InForce } from "./in-force.tsx";
import { Incidents } from "./incidents.tsx";
import "./overview.css";

export default function Page(): JSX.Element {
  const status = useLoaded("/status", readStatus, ["status", "responses", "calls"]);
  return (
    <>
      <PageHead title="Overview" />
      <div class="overview-columns">
        <div class="stack">
          <Incidents />
          <InForce />
          <Show loaded={status}>{({ trustDomain }) => <LastCalls trustDomain={trustDomain} />}</Show>
        </div>
        <div class="stack">
          <Show loaded={status}>
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
