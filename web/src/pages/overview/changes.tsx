/** What is different since yesterday. */
import type { JSX } from "preact";

import { type Change, readChanges } from "../../model/traffic.ts";
import { Status, type Tone } from "../../ui/badge.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Empty, Show } from "../../ui/states.tsx";
import { Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";

const shown = 8;

const tones: Readonly<Record<Change["weight"], Tone>> = { info: "plain", notice: "info", warning: "warn" };

export function Changes(): JSX.Element {
  const loaded = useLoaded(`/changes?limit=${shown}`, readChanges, [
    "approvals",
    "crypto",
    "incidents",
    "people",
    "policy",
    "responses",
    "status",
    "tools",
  ]);
  return (
    <Panel title="What changed since yesterday" actions={<a href="/audit">Audit log</a>}>
      <Show loaded={loaded} rows={5}>
        {(changes) =>
          changes.length === 0 ? (
            <Empty title="Nothing changed">
              New tools, rules, certificates, restrictions and logins show up here.
            </Empty>
          ) : (
            <ol class="changes">
              {changes.map((change) => (
                <li key={change.index}>
                  <Status tone={tones[change.weight]}>{change.area}</Status>
                  <div>
                    <a href={`/audit/${change.index}`}>{change.says}</a>
                    <div class="faint small">
                      <Time at={change.atUnixMs} /> by {change.by}
                    </div>
                  </div>
                </li>
              ))}
            </ol>
          )
        }
      </Show>
    </Panel>
  );
}
