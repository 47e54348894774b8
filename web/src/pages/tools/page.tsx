/** Servers' tools: what is pinned, what changed, what each may do alone and together. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";

import "./tools.css";
import { segment } from "../../api.ts";
import {
  byServer,
  type Marks,
  readMarks,
  readToolPage,
  type ServerTools,
  toolKey,
} from "../../model/tools.ts";
import { count } from "../../model/words.ts";
import type { PageProps } from "../../router.ts";
import { Badge } from "../../ui/badge.tsx";
import { Button } from "../../ui/button.tsx";
import { Field } from "../../ui/field.tsx";
import { PageHead, Panel } from "../../ui/panel.tsx";
import { Empty, Show } from "../../ui/states.tsx";
import { type Loaded, useLoaded } from "../../use-loaded.ts";
import { Combinations } from "./combinations.tsx";
import { OpenedServer } from "./opened-server.tsx";
import { OpenedTool } from "./opened-tool.tsx";
import { ToolTable } from "./tool-table.tsx";

export default function Page({ rest: [server], query }: PageProps): JSX.Element {
  const marks = useLoaded("/tools/marks", readMarks, ["tools"]);
  const tool = query.get("tool");
  if (server !== undefined && tool !== null)
    return <OpenedTool key={toolKey(server, tool)} server={server} tool={tool} marks={marks.data} />;
  return (
    <>
      <PageHead
        title={server === undefined ? "Tools" : `Tools of ${server}`}
        says="A tool is called as it was pinned. What its server changes waits here for somebody who looks at it."
      />
      {server === undefined ? (
        <All marks={marks} />
      ) : (
        <OpenedServer key={server} server={server} marks={marks.data} />
      )}
    </>
  );
}

function All({ marks }: { readonly marks: Loaded<Marks> }): JSX.Element {
  const filter = useSignal("");
  return (
    <>
      {marks.data !== undefined && <Combinations combinations={marks.data.combinations} />}
      <div class="filters">
        <Field
          label="Find a tool"
          type="search"
          placeholder="server/tool"
          value={filter.value}
          isFilter
          onInput={(value) => (filter.value = value)}
        />
      </div>
      <Listed cursor="" filter={filter.value} marks={marks.data} />
    </>
  );
}

interface ListedProps {
  /** Of the part before; "" for the first. */
  readonly cursor: string;
  readonly filter: string;
  readonly marks: Marks | undefined;
}

function Listed({ cursor, filter, marks }: ListedProps): JSX.Element {
  const from = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
  const loaded = useLoaded(`/tools?limit=500${from}`, readToolPage, ["tools"]);
  const isMore = useSignal(false);
  return (
    <Show loaded={loaded} rows={8}>
      {({ tools, next }) => {
        const servers = byServer(tools, filter);
        return (
          <>
            {servers.length === 0 && next === undefined && cursor === "" && (
              <Nothing isFiltered={tools.length > 0} />
            )}
            {servers.map((each) => (
              <Server key={each.server} tools={each} marks={marks} />
            ))}
            {next !== undefined && !isMore.value && (
              <Button onClick={() => (isMore.value = true)}>Show more tools</Button>
            )}
            {next !== undefined && isMore.value && <Listed cursor={next} filter={filter} marks={marks} />}
          </>
        );
      }}
    </Show>
  );
}

function Nothing({ isFiltered }: { readonly isFiltered: boolean }): JSX.Element {
  return isFiltered ? (
    <Empty title="No tool has that in its name" icon="search" />
  ) : (
    <Empty title="No tools were listed yet">
      They are pinned when a client first lists a server's tools through the gateway.
    </Empty>
  );
}

function Server({
  tools: { server, tools, waiting },
  marks,
}: {
  readonly tools: ServerTools;
  readonly marks: Marks | undefined;
}): JSX.Element {
  return (
    <Panel
      isFlush
      title={<a href={`/tools/${segment(server)}`}>{server}</a>}
      actions={
        <>
          {waiting > 0 && (
            <Badge tone="warn" icon="warning">
              {count(waiting, "tool waits", "tools wait")}
            </Badge>
          )}
          <Badge>{count(tools.length, "tool", "tools")}</Badge>
        </>
      }
    >
      <ToolTable label={`Tools of ${server}`} tools={tools} marks={marks} />
    </Panel>
  );
}
