/** One server's tools: all of them, what waits approved at once, the versions there were, and the way back to one. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { change, may, segment } from "../../api.ts";
import {
  byServer,
  type Marks,
  readTools,
  readVersions,
  type Tool,
  type Version,
  waits,
} from "../../model/tools.ts";
import { count } from "../../model/words.ts";
import { Badge } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Check } from "../../ui/field.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Panel } from "../../ui/panel.tsx";
import { Show } from "../../ui/states.tsx";
import { type Column, Table } from "../../ui/table.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { ToolTable } from "./tool-table.tsx";

export function OpenedServer({
  server,
  marks,
}: {
  readonly server: string;
  readonly marks: Marks | undefined;
}): JSX.Element {
  const path = `/servers/${segment(server)}/tools`;
  const tools = useLoaded(`/tools?limit=500&server=${segment(server)}`, readTools, ["tools"]);
  const versions = useLoaded(`${path}/history`, readVersions, ["tools"]);
  const reload = (): void => {
    tools.reload();
    versions.reload();
  };
  const waiting = (tools.data ?? []).filter(waits);
  return (
    <>
      <a class="tools-back" href="/tools">
        <Icon name="left" size={16} /> All servers
      </a>
      <Panel
        title="Tools"
        isFlush
        actions={
          waiting.length > 0 &&
          may("operator") && <ApproveAll path={path} waiting={waiting} onDone={reload} />
        }
      >
        <Show loaded={tools} rows={6}>
          {(all) => (
            <ToolTable label={`Tools of ${server}`} tools={byServer(all, "")[0]?.tools ?? []} marks={marks} />
          )}
        </Show>
      </Panel>
      <Panel
        title="Versions"
        isFlush
        says="Each time something was pinned, approved or rolled back. A version can be pinned again as it was."
      >
        <Show loaded={versions} rows={3}>
          {(all) => <Versions path={path} versions={all} onDone={reload} />}
        </Show>
      </Panel>
    </>
  );
}

function ApproveAll({
  path,
  waiting,
  onDone,
}: {
  readonly path: string;
  readonly waiting: readonly Tool[];
  readonly onDone: () => void;
}): JSX.Element {
  const isAsked = useSignal(false);
  const isReadOnly = useSignal(false);
  const approve = async (because: string): Promise<void> => {
    // By name: what begins to wait meanwhile nobody has looked at.
    const tools = waiting.map(({ tool }) => tool);
    await change("POST", `${path}/approve`, { tools, readOnly: isReadOnly.value, because });
    toast(`${count(tools.length, "tool is", "tools are")} approved.`);
    onDone();
  };
  return (
    <>
      <Button icon="check" onClick={() => (isAsked.value = true)}>
        Approve {waiting.length === 1 ? "the one that waits" : `all ${waiting.length} that wait`}
      </Button>
      {isAsked.value && (
        <Confirm
          title="Approve what waits?"
          says={
            <>
              <p>From now on these are called as their server says them now:</p>
              <ul class="names">
                {waiting.map(({ tool, name, state }) => (
                  <li key={tool}>
                    <span class="mono">{name}</span> <span class="faint">({state})</span>
                  </li>
                ))}
              </ul>
            </>
          }
          verb="Approve"
          onConfirm={approve}
          onClose={() => (isAsked.value = false)}
        >
          <Check
            label="They only read"
            isOn={isReadOnly.value}
            onChange={(isOn) => (isReadOnly.value = isOn)}
          />
        </Confirm>
      )}
    </>
  );
}

function Versions({
  path,
  versions,
  onDone,
}: {
  readonly path: string;
  readonly versions: readonly Version[];
  readonly onDone: () => void;
}): JSX.Element {
  const asked = useSignal<Version | undefined>(undefined);
  const rollBack = async (because: string): Promise<void> => {
    await change("POST", `${path}/roll-back`, { to: asked.value?.version, because });
    toast("Rolled back.");
    onDone();
  };
  const columns = versionColumns((version) => (asked.value = version));
  return (
    <>
      <Table label="Versions" columns={columns} rows={versions} keyOf={({ version }) => String(version)} />
      {asked.value !== undefined && (
        <Confirm
          title={`Roll back to version ${asked.value.version}?`}
          says="Tools are held to what they were then. What came since isn't called, until somebody approves it again."
          verb="Roll back"
          isDanger
          onConfirm={rollBack}
          onClose={() => (asked.value = undefined)}
        />
      )}
    </>
  );
}

function versionColumns(onRollBack: (version: Version) => void): readonly Column<Version>[] {
  return [
    {
      name: "version",
      head: "Version",
      isMain: true,
      cell: ({ version, isNow }) => (
        <>
          {version} {isNow && <Badge tone="accent">now</Badge>}
        </>
      ),
    },
    {
      name: "what",
      head: "What",
      isWide: true,
      cell: ({ what, because }) => <What what={what} because={because} />,
    },
    { name: "who", head: "Who", isExtra: true, cell: ({ who }) => who },
    { name: "at", head: "When", isExtra: true, cell: ({ at }) => <Time at={at} /> },
    { name: "tools", head: "Tools", isNumber: true, isExtra: true, cell: ({ tools }) => tools },
    {
      name: "act",
      head: <span class="hidden">Roll back</span>,
      cell: (version) =>
        !version.isNow &&
        may("operator") && (
          <Button kind="quiet" icon="undo" onClick={() => onRollBack(version)}>
            Roll back
          </Button>
        ),
    },
  ];
}

function What({ what, because }: Pick<Version, "because" | "what">): JSX.Element {
  return (
    <>
      <span class="mono">{what}</span>
      {because !== "" && <p class="story-says">{because}</p>}
    </>
  );
}
