/** The way to post-quantum cryptography in phases, by what was scanned and kept. */
import type { JSX } from "preact";

import { apiHref } from "../../api.ts";
import { type Migration, readMigration } from "../../model/crypto.ts";
import { count, percent } from "../../model/words.ts";
import { Badge } from "../../ui/badge.tsx";
import { LinkButton } from "../../ui/button.tsx";
import { Figure, Figures } from "../../ui/figure.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Empty, Show } from "../../ui/states.tsx";
import { Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";

export function MigrationPhases(): JSX.Element {
  const loaded = useLoaded("/crypto/migration", readMigration);
  if (loaded.failure?.code === "bad_state")
    return (
      <Panel title="Migration">
        <Empty title="Nothing was scanned yet">{loaded.failure.message}</Empty>
      </Panel>
    );
  return (
    <Show loaded={loaded} rows={10}>
      {(migration) => (
        <>
          <Far migration={migration} />
          <Phases migration={migration} />
        </>
      )}
    </Show>
  );
}

function Far({
  migration: { progress, urgency, quantumYear },
}: {
  readonly migration: Migration;
}): JSX.Element {
  const { servers, hybridServers, links, hybridLinks, atUnixMs } = progress;
  const [worst] = urgency;
  return (
    <Figures>
      <Figure
        label="Servers with ML-KEM"
        value={servers === 0 ? "–" : percent(hybridServers / servers)}
        says={`${hybridServers} of ${servers} on a network`}
      />
      <Figure
        label="Clients' ways with ML-KEM"
        value={links === 0 ? "–" : percent(hybridLinks / links)}
        says={`${hybridLinks} of ${links}`}
      />
      {worst !== undefined && (
        <Figure
          label={`Most urgent: ${worst.dataClass}`}
          value={worst.lateByYears > 0 ? `${worst.lateByYears}` : "in time"}
          unit={worst.lateByYears > 0 ? "years late" : undefined}
          says={`if ${quantumYear} is when RSA falls${worst.isAssumed ? "; its shelf life is a guess" : ""}`}
          tone={worst.lateByYears > 0 ? "bad" : "good"}
        />
      )}
      <Figure label="Scanned" value={<Time at={atUnixMs} />} says="latticegate scan --keep looks again" />
    </Figures>
  );
}

function Phases({ migration: { phases } }: { readonly migration: Migration }): JSX.Element {
  return (
    <Panel
      title="Phases"
      says="In this order; within a phase the most sensitive and exposed first."
      actions={
        <LinkButton href={apiHref("/inventory.cbom")} icon="download" download="">
          CBOM (CycloneDX)
        </LinkButton>
      }
    >
      {phases.length === 0 && <Empty title="Nothing is left to do" icon="check" />}
      {phases.map(({ id, title, steps, more }, at) => (
        <details key={id} class="phase" open={at === 0}>
          <summary>
            {at + 1}. {title} <Badge>{count(steps.length + more, "step", "steps")}</Badge>
          </summary>
          <ol class="steps">
            {steps.map(({ at: where, owner, why, how, doneWhen }, index) => (
              <li key={`${index} ${where}`}>
                <strong class="said">{where}</strong>
                {owner !== "" && <span class="faint"> · {owner}</span>}
                <p>{why}</p>
                {how.map((line) => (
                  <p key={line}>
                    → <code>{line}</code>
                  </p>
                ))}
                <p class="small faint">Done when {doneWhen}</p>
              </li>
            ))}
          </ol>
          {more > 0 && <p class="small faint">and {more} more: latticegate inventory plan</p>}
        </details>
      ))}
    </Panel>
  );
}
