/** What peers were seen to be capable of, and those that show less now. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { change, may } from "../../api.ts";
import { type Peer, readPeers } from "../../model/crypto.ts";
import { Badge } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Empty, Show } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";
import { useLoaded } from "../../use-loaded.ts";

export function Peers(): JSX.Element {
  const loaded = useLoaded("/crypto/peers?limit=500", readPeers, ["crypto"]);
  const asked = useSignal<Peer | undefined>(undefined);
  return (
    <Panel
      title="Peers"
      says="What each showed at its best and last. One that shows less is flagged or refused: somebody may be in between."
      isFlush
    >
      <Show loaded={loaded} rows={6}>
        {(peers) => (
          <Table
            label="Peers"
            columns={columnsWith((peer) => (asked.value = peer))}
            rows={peers}
            keyOf={({ direction, peer }) => `${direction} ${peer}`}
            empty={<Empty title="No peer is remembered">They are from their first link on.</Empty>}
          />
        )}
      </Show>
      {asked.value !== undefined && (
        <Accept peer={asked.value} onDone={loaded.reload} onClose={() => (asked.value = undefined)} />
      )}
    </Panel>
  );
}

function columnsWith(onAccept: (peer: Peer) => void): readonly Column<Peer>[] {
  return [
    {
      name: "peer",
      head: "Peer",
      isMain: true,
      isWide: true,
      cell: ({ peer, direction, regressions }) => (
        <>
          {peer} <span class="small faint">{direction}</span>
          {regressions.map(({ kind, says, isRefused }) => (
            <p key={`${kind} ${says}`} class="small">
              <Badge tone={isRefused ? "bad" : "warn"} icon={isRefused ? "stop" : "warning"}>
                {isRefused ? "refused" : "flagged"}
              </Badge>{" "}
              {says}
            </p>
          ))}
        </>
      ),
    },
    {
      name: "shown",
      head: "Shown at its best, and last",
      isWide: true,
      isExtra: true,
      cell: ({ best, last }) => (
        <>
          {best}
          <p class="small faint">{last === best ? "the last link, too" : `last: ${last}`}</p>
        </>
      ),
    },
    { name: "seen", head: "Seen", cell: ({ lastSeen }) => <Time at={lastSeen} /> },
    {
      name: "accept",
      head: <span class="hidden">Decide</span>,
      cell: (peer) =>
        peer.regressions.length > 0 &&
        may("operator") && <Button onClick={() => onAccept(peer)}>Accept</Button>,
    },
  ];
}

interface AcceptProps {
  readonly peer: Peer;
  readonly onDone: () => void;
  readonly onClose: () => void;
}

function Accept({ peer: { peer, direction, last }, onDone, onClose }: AcceptProps): JSX.Element {
  const accept = async (): Promise<void> => {
    await change("POST", "/crypto/peers/accept", { peer, direction });
    toast("Accepted.");
    onDone();
  };
  return (
    <Confirm
      title="Accept what it shows now?"
      says={
        <p>
          <span class="said">{peer}</span> is held to {last} from now on. Accept it if you know that it was
          changed: otherwise somebody in between may have made it weaker.
        </p>
      }
      verb="Accept"
      isDanger
      reason="none"
      onConfirm={accept}
      onClose={onClose}
    />
  );
}
