/** One tool: what was pinned beside what its server says now, what is found in it, and the decision. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import { Restrict } from "../../acting/restrict.tsx";
import { change, may, segment } from "../../api.ts";
import { labelOf } from "../../model/orders.ts";
import {
  type Marks,
  type OpenedTool as Opened,
  readTool,
  toolKey,
  type ToolMarks,
  waits,
} from "../../model/tools.ts";
import { Badge } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Code, Diff } from "../../ui/code.tsx";
import { Confirm } from "../../ui/dialog.tsx";
import { Check } from "../../ui/field.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Facts, PageHead, Panel } from "../../ui/panel.tsx";
import { Notice, Show } from "../../ui/states.tsx";
import { Time } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";
import { useLoaded } from "../../use-loaded.ts";
import { MarkBadges, ToolState } from "./tool-marks.tsx";

interface OpenedToolProps {
  readonly server: string;
  readonly tool: string;
  readonly marks: Marks | undefined;
}

export function OpenedTool({ server, tool, marks }: OpenedToolProps): JSX.Element {
  const path = `/servers/${segment(server)}/tools`;
  const loaded = useLoaded(`${path}/definition?tool=${segment(tool)}`, readTool, ["tools"]);
  const { data } = loaded;
  return (
    <>
      <PageHead
        title={<span class="said-name">{data?.name ?? "…"}</span>}
        says={
          <a class="tools-back" href={`/tools/${segment(server)}`}>
            <Icon name="left" size={16} /> Tools of {server}
          </a>
        }
        actions={data && may("operator") && <Acts path={path} tool={data} onDone={loaded.reload} />}
      />
      <Show loaded={loaded} rows={10}>
        {(opened) => <Parts opened={opened} marks={marks?.tools.get(toolKey(server, tool))} />}
      </Show>
    </>
  );
}

function Parts({
  opened,
  marks,
}: {
  readonly opened: Opened;
  readonly marks: ToolMarks | undefined;
}): JSX.Element {
  const { findings } = opened;
  return (
    <>
      {waits(opened) && (
        <Notice tone={opened.state === "held" ? "bad" : "warn"}>
          <strong>It isn't called until somebody approves it.</strong>
          <ul>
            {findings.map((says) => (
              <li key={says}>{says}</li>
            ))}
          </ul>
        </Notice>
      )}
      <Says opened={opened} />
      <div class="columns">
        <Standing opened={opened} marks={marks} />
        <History opened={opened} />
      </div>
    </>
  );
}

/** What a person approves, all of it. */
function Says({ opened: { pinned, offered, state } }: { readonly opened: Opened }): JSX.Element {
  if (pinned !== undefined && offered !== undefined)
    return (
      <Panel title="What changed" says="Member by member; ⟨…⟩ shows what is hidden in the text." isFlush>
        <Diff
          label="Definitions side by side"
          before={pinned.text}
          after={offered.text}
          beforeTitle="Pinned: what is called"
          afterTitle="Offered: what the server says now"
        />
      </Panel>
    );
  const only = offered ?? pinned;
  const title = offered === undefined ? "As it is pinned" : "As the server offers it";
  return (
    <Panel title={title} says={state === "removed" ? "The server doesn't list it any more." : undefined}>
      {only === undefined ? (
        <Notice>Its definition was too long to keep; have the server's tools listed again.</Notice>
      ) : (
        <div class="definition">
          <Code label="Definition" text={only.text} />
        </div>
      )}
    </Panel>
  );
}

function Standing({
  opened: { state, isReadOnly, firstSeen, pinned, offered },
  marks,
}: {
  readonly opened: Opened;
  readonly marks: ToolMarks | undefined;
}): JSX.Element {
  return (
    <Panel title="How it stands">
      <Facts
        facts={[
          ["State", <ToolState key="state" state={state} />],
          ["Effect", isReadOnly ? "only reads, by its operator's or publisher's word" : "any"],
          ["First seen", <Time key="seen" at={firstSeen} />],
          ...(pinned === undefined
            ? []
            : [["Pinned hash", <code key="pinned">{pinned.hash}</code>] as const]),
          ...(offered === undefined
            ? []
            : [["Offered hash", <code key="offered">{offered.hash}</code>] as const]),
        ]}
      />
      {marks !== undefined && <Risk marks={marks} />}
    </Panel>
  );
}

function Risk({ marks: { may: all, marks, findings } }: { readonly marks: ToolMarks }): JSX.Element {
  return (
    <>
      <h3>What it may do</h3>
      <MarkBadges may={all} />
      <ul class="sources">
        {marks.map(({ mark, source, because }) => (
          <li key={`${mark} ${source} ${because}`} class="small">
            <strong>{mark}</strong> by its {source}: <span class="faint">{because}</span>
          </li>
        ))}
      </ul>
      {findings.map(({ severity, says }) => (
        <p key={says} class="small">
          <Badge tone={severity === "high" || severity === "critical" ? "bad" : "warn"} icon="warning">
            {severity}
          </Badge>{" "}
          {says}
        </p>
      ))}
    </>
  );
}

function History({ opened: { history } }: { readonly opened: Opened }): JSX.Element {
  return (
    <Panel title="What became of it">
      {history.length === 0 ? (
        <p class="small faint">It was never pinned.</p>
      ) : (
        <ol class="turns">
          {history.map(({ version, at, what, who, because }) => (
            <li key={version} class="small">
              <strong>
                {what} in version {version}
              </strong>{" "}
              by {who}, <Time at={at} />
              {because !== "" && <p class="faint">{because}</p>}
            </li>
          ))}
        </ol>
      )}
    </Panel>
  );
}

interface ActsProps {
  readonly path: string;
  readonly tool: Opened;
  readonly onDone: () => void;
}

function Acts({ path, tool, onDone }: ActsProps): JSX.Element {
  const asked = useSignal<"approve" | "restrict" | undefined>(undefined);
  const close = (): void => void (asked.value = undefined);
  const scope = { server: tool.server, tool: tool.tool };
  const targets = [scope, { server: tool.server }].map((each) => ({ scope: each, label: labelOf(each) }));
  const canApprove = waits(tool) || tool.state === "removed";
  return (
    <>
      {canApprove && (
        <Button kind="primary" icon="check" onClick={() => (asked.value = "approve")}>
          {tool.state === "removed" ? "Let it go" : "Approve"}
        </Button>
      )}
      <Button kind="danger" icon="stop" onClick={() => (asked.value = "restrict")}>
        Restrict
      </Button>
      {asked.value === "approve" && <Approve path={path} tool={tool} onDone={onDone} onClose={close} />}
      {asked.value === "restrict" && <Restrict targets={targets} onDone={onDone} onClose={close} />}
    </>
  );
}

function Approve({
  path,
  tool: { tool, name, state, offered, offeredHash },
  onDone,
  onClose,
}: ActsProps & { readonly onClose: () => void }): JSX.Element {
  const isReadOnly = useSignal(false);
  // The hash that was looked at: what the server says since then isn't approved with it.
  const contentHash = offered?.hash ?? offeredHash;
  const approve = async (because: string): Promise<void> => {
    await change("POST", `${path}/approve`, {
      tools: [tool],
      ...(contentHash !== undefined && { contentHash }),
      readOnly: isReadOnly.value,
      because,
    });
    toast("Approved.");
    onDone();
  };
  return (
    <Confirm
      title={state === "removed" ? "Forget that it was pinned?" : "Approve this definition?"}
      says={
        <p>
          <span class="said-name">{name}</span>
          {state === "removed"
            ? " is gone from the server's list."
            : " is called as the server says it now, and held to that."}
        </p>
      }
      verb={state === "removed" ? "Let it go" : "Approve"}
      onConfirm={approve}
      onClose={onClose}
    >
      {state !== "removed" && (
        <Check label="It only reads" isOn={isReadOnly.value} onChange={(isOn) => (isReadOnly.value = isOn)} />
      )}
    </Confirm>
  );
}
