/** Who is logged in, with which roles, until when. */
import type { JSX } from "preact";

import { session } from "../../api.ts";
import { Badge } from "../../ui/badge.tsx";
import { Facts, PageHead, Panel } from "../../ui/panel.tsx";
import { Time } from "../../ui/time.tsx";

export default function Page(): JSX.Element {
  const who = session.value;
  return (
    <>
      <PageHead title="Account" says="Who you are to the gateway. What you do is in its log by this name." />
      <Panel title="This session">
        <Facts
          facts={[
            ["Name", who?.name ?? ""],
            [
              "Roles",
              <span key="roles" class="row">
                {who?.roles.map((role) => (
                  <Badge key={role}>{role}</Badge>
                ))}
              </span>,
            ],
            [
              "Ends",
              who?.expiresAtUnixMs === undefined ? "with this browser" : <Time at={who.expiresAtUnixMs} />,
            ],
          ]}
        />
      </Panel>
    </>
  );
}
