/** One entry with everything it says, and its proof. */
import type { JSX } from "preact";

import { apiHref, segment } from "../../api.ts";
import { readShownEntry } from "../../model/audit.ts";
import { callHref, shown } from "../../model/names.ts";
import { Proof } from "../../receipt/proof.tsx";
import { verifyGiven } from "../../receipt/verify.ts";
import { Verdict } from "../../ui/badge.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Facts, Panel } from "../../ui/panel.tsx";
import { Show } from "../../ui/states.tsx";
import { Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";

export function OpenedEntry({ index }: { readonly index: string }): JSX.Element {
  const path = `/audit/entries/${segment(index)}`;
  const loaded = useLoaded(path, readShownEntry);
  const { data } = loaded;
  return (
    <div class="stack">
      <a class="back" href="/audit">
        <Icon name="left" size={16} /> The log
      </a>
      <Panel title={`Entry ${index}`} actions={data && <Verdict verdict={data.entry.outcome} />}>
        <Show loaded={loaded} rows={8}>
          {({ entry }) => (
            <>
              <Facts
                facts={[
                  ["Event", entry.event],
                  ["At", <Time key="at" at={entry.atUnixMs} as="full" />],
                  ["Who", shown(entry.principal)],
                  ...(entry.tool === "" ? [] : [["Tool", shown(entry.tool)] as const]),
                  [
                    "Id",
                    entry.event.startsWith("call.") ? (
                      <a key="id" href={callHref(entry.callId)}>
                        {entry.callId}
                      </a>
                    ) : (
                      <code key="id">{shown(entry.callId)}</code>
                    ),
                  ],
                  ...entry.facts.map(([name, value]) => [name, shown(value)] as const),
                ]}
              />
            </>
          )}
        </Show>
      </Panel>
      {data && (
        <Proof
          verify={() => verifyGiven(data.receipt, data.entry)}
          href={apiHref(path)}
          file={`entry-${index}.json`}
        />
      )}
    </div>
  );
}
