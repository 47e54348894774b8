/** Rules: those in force in words, drafts of others, and why a call is decided as it is. Nothing here writes a rule. */
import type { JSX } from "preact";

import "./policy.css";
import { type Policy, readPolicy } from "../../model/policy.ts";
import { count } from "../../model/words.ts";
import { type PageProps, setQuery } from "../../router.ts";
import { Facts, PageHead, Panel } from "../../ui/panel.tsx";
import { Notice, Show } from "../../ui/states.tsx";
import { Tabs } from "../../ui/tabs.tsx";
import { Time } from "../../ui/time.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { Draft } from "./draft.tsx";
import { Explain } from "./explain.tsx";
import { Rules } from "./rules.tsx";

const tabs = [
  { name: "rules", label: "In force" },
  { name: "draft", label: "Draft" },
  { name: "explain", label: "Explain a call" },
] as const;

export default function Page({ query }: PageProps): JSX.Element {
  const loaded = useLoaded("/policy", readPolicy, ["policy"]);
  const asked = query.get("tab") ?? (query.has("call") ? "explain" : "rules");
  const current = tabs.find(({ name }) => name === asked)?.name ?? "rules";
  return (
    <>
      <PageHead
        title="Policy"
        says="What the rules say, what others would change, and why a call is decided so. Rules are published where they are written: a draft leaves from here as a patch."
      />
      <Tabs
        label="Policy"
        tabs={tabs}
        current={current}
        onChange={(name) => setQuery({ tab: name === "rules" ? undefined : name })}
      >
        <Show loaded={loaded} rows={10}>
          {(policy) => (
            <>
              {current === "rules" && (
                <>
                  <Source policy={policy} />
                  <Rules policy={policy} />
                </>
              )}
              {current === "draft" && <Draft policy={policy} />}
              {current === "explain" && <Explain asked={query.get("call") ?? ""} />}
            </>
          )}
        </Show>
      </Tabs>
    </>
  );
}

function Source({
  policy: { source, bundle, trouble, rules, more, worldDigest },
}: {
  readonly policy: Policy;
}): JSX.Element {
  const written = {
    config: "in the config itself",
    file: "in a file of their own",
    bundle: "in a signed bundle",
  }[source?.kind ?? ""];
  return (
    <Panel title="Where they come from">
      {trouble !== "" && (
        <Notice tone="bad">
          <strong>Their source isn't right, so what was in force before stays.</strong> {trouble}
        </Notice>
      )}
      {source?.isInForce === false && (
        <Notice tone="warn">
          What is written now isn't what is in force: it is being taken up, or was refused. The gateway's log
          says why.
        </Notice>
      )}
      <Facts
        facts={[
          ["Rules", count(rules.length + more, "rule", "rules")],
          ["Written", source === undefined ? "–" : `${source.file} ${written ?? ""}`.trim()],
          ...(bundle === undefined
            ? []
            : [
                ["Bundle", `${bundle.sequence} by ${bundle.publisher}, from ${bundle.source}`] as const,
                ["In force", <Time key="since" at={bundle.sinceUnixMs} />] as const,
                ...(bundle.commit === ""
                  ? []
                  : [["Commit", <code key="commit">{bundle.commit}</code>] as const]),
              ]),
          ["World", <code key="world">{worldDigest}</code>],
        ]}
      />
    </Panel>
  );
}
