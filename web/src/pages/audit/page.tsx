/** The audit log: searched, each entry with its proof, verified as a whole, its heads and those who watch it. */
import type { JSX } from "preact";

import { may } from "../../api.ts";
import { type PageProps, setQuery } from "../../router.ts";
import { PageHead } from "../../ui/panel.tsx";
import { Tabs } from "../../ui/tabs.tsx";
import { Export } from "./export.tsx";
import { OpenedEntry } from "./opened-entry.tsx";
import { Search } from "./search.tsx";
import { Standing } from "./standing.tsx";
import { Verify } from "./verify.tsx";
import "./audit.css";

const tabs = [
  { name: "search", label: "Search" },
  { name: "verify", label: "Verify" },
  { name: "standing", label: "Heads and witnesses" },
  { name: "export", label: "Export" },
] as const;

export default function Page({ rest: [index], query }: PageProps): JSX.Element {
  const shown = tabs.filter(({ name }) => may("operator") || (name !== "verify" && name !== "export"));
  const tab = shown.find(({ name }) => name === query.get("tab"))?.name ?? "search";
  return (
    <>
      <PageHead
        title="Audit"
        says="Everything that was decided and done, in a log that nobody can change unseen."
      />
      {index === undefined ? (
        <Tabs
          label="What of the log"
          tabs={shown}
          current={tab}
          onChange={(name) => setQuery({ tab: name === "search" ? undefined : name })}
        >
          {tab === "search" && <Search query={query} />}
          {tab === "verify" && <Verify />}
          {tab === "standing" && <Standing />}
          {tab === "export" && <Export />}
        </Tabs>
      ) : (
        <OpenedEntry key={index} index={index} />
      )}
    </>
  );
}
