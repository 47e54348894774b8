/** Cryptography: what is in use and since when, what ends when, another profile in two steps, peers, the migration. */
import type { JSX } from "preact";

import "./crypto.css";
import { readLive, readProfiles } from "../../model/crypto.ts";
import { type PageProps, setQuery } from "../../router.ts";
import { PageHead } from "../../ui/panel.tsx";
import { Show } from "../../ui/states.tsx";
import { Tabs } from "../../ui/tabs.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { Certificates } from "./certificates.tsx";
import { Links, Servers, Suites, WeakSpots } from "./in-use.tsx";
import { MigrationPhases } from "./migration.tsx";
import { Peers } from "./peers.tsx";
import { Profile } from "./profile.tsx";

const tabs = [
  { name: "use", label: "In use" },
  { name: "profile", label: "Profile" },
  { name: "clocks", label: "Certificates" },
  { name: "peers", label: "Peers" },
  { name: "migration", label: "Migration" },
] as const;

export default function Page({ query }: PageProps): JSX.Element {
  const current = tabs.find(({ name }) => name === query.get("tab"))?.name ?? "use";
  return (
    <>
      <PageHead
        title="Crypto"
        says="How strong each link is, what ends when, and what another profile would change before it is applied."
      />
      <Tabs
        label="Crypto"
        tabs={tabs}
        current={current}
        onChange={(name) => setQuery({ tab: name === "use" ? undefined : name })}
      >
        {current === "use" && <InUse />}
        {current === "profile" && <Profile />}
        {current === "clocks" && <Certificates />}
        {current === "peers" && <Peers />}
        {current === "migration" && <MigrationPhases />}
      </Tabs>
    </>
  );
}

function InUse(): JSX.Element {
  const live = useLoaded("/crypto", readLive, ["crypto", "calls-slowly"]);
  const profiles = useLoaded("/crypto/profiles", readProfiles, ["crypto"]);
  return (
    <>
      <Suites />
      <Show loaded={profiles} rows={3}>
        {({ weakSpots }) => <WeakSpots spots={weakSpots} />}
      </Show>
      <Show loaded={live} rows={8}>
        {({ links, servers }) => (
          <div class="columns">
            <Links links={links} />
            <Servers servers={servers} />
          </div>
        )}
      </Show>
    </>
  );
}
