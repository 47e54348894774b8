/** Who is logged in, with which roles, until when; its passkeys and sessions; for admins, everybody else. */
import type { JSX } from "preact";

import { may, session } from "../../api.ts";
import { wayInWords } from "../../model/people.ts";
import { Badge } from "../../ui/badge.tsx";
import { Facts, PageHead, Panel } from "../../ui/panel.tsx";
import { Time } from "../../ui/time.tsx";
import "./account.css";
import { Passkeys } from "./passkeys.tsx";
import { People } from "./people.tsx";
import { Sessions } from "./sessions.tsx";

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
            ["Logged in by", wayInWords(who?.by ?? "")],
            [
              "Ends",
              who?.expiresAtUnixMs === undefined ? "with this browser" : <Time at={who.expiresAtUnixMs} />,
            ],
          ]}
        />
      </Panel>
      <Passkeys />
      <Sessions />
      {may("admin") && <People />}
    </>
  );
}
