/** Servers' tools in the control API: the same as the commands. */
import { z } from "zod";

import { page, pageOf, pageQuery } from "../../control/paging.ts";
import { type Route, route } from "../../control/route.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { toolAnswer, toolChangesAnswer, toolDefinitionAnswer, toolVersionAnswer } from "./tool-answers.ts";
import {
  approveTools,
  rollBackTools,
  toolAsDeclared,
  toolChanges,
  toolHistory,
  type ToolPlace,
  toolRows,
} from "./tool-operations.ts";

const because = z.string().trim().min(1).max(1000);
const params = z.object({ server: z.string().min(1).max(256) });

const approval = z.strictObject({
  tools: z.union([z.literal("all"), z.array(z.string().max(1024)).max(10_000)]).default([]),
  contentHash: z.string().max(256).exactOptional(),
  readOnly: z.boolean().default(false),
  because,
});
const tag = "tools";

export function toolRoutes(place: ToolPlace, clock: Clock): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/tools",
      summary: "The tools of all servers, or of one, and how they stand to what was pinned.",
      tag,
      role: "viewer",
      query: z.object({ ...pageQuery, server: z.string().max(256).exactOptional() }),
      answer: pageOf(toolAnswer),
      handle: ({ query }) =>
        page(toolRows(place, query.server), query, ({ server, tool }) => JSON.stringify([server, tool])),
    }),
    route({
      method: "GET",
      path: "/servers/{server}/tools/diff",
      summary: "What is different from what was pinned.",
      tag,
      role: "viewer",
      params,
      query: z.object({ tool: z.string().max(1024).exactOptional() }),
      answer: z.object({ changes: z.array(toolChangesAnswer) }),
      handle: ({ params: { server }, query }) => ({ changes: toolChanges(place, server, query.tool) }),
    }),
    route({
      method: "GET",
      // A tool may have any name, that of another route, too.
      path: "/servers/{server}/tools/definition",
      summary: "One tool: what was pinned, what the server says now, and what became of it.",
      tag,
      role: "viewer",
      params,
      query: z.object({ tool: z.string().max(1024) }),
      answer: toolDefinitionAnswer,
      handle: ({ params: { server }, query: { tool } }) => toolAsDeclared(place, server, tool),
    }),
    route({
      method: "GET",
      path: "/servers/{server}/tools/history",
      summary: "The versions of a server's pins, newest first.",
      tag,
      role: "viewer",
      params,
      answer: z.object({ versions: z.array(toolVersionAnswer) }),
      handle: ({ params: { server } }) => ({ versions: toolHistory(place, server) }),
    }),
    ...changes(place, clock),
  ];
}

function changes(place: ToolPlace, clock: Clock): readonly Route[] {
  return [
    route({
      method: "POST",
      path: "/servers/{server}/tools/approve",
      summary: "Pins what a server offers now; one tool by its hash, several by name, or all.",
      tag,
      role: "operator",
      params,
      body: approval,
      answer: z.object({ approved: z.array(z.string()) }),
      touches: "tools",
      handle: ({ params: { server }, body: { readOnly: isReadOnly, ...asked }, login }) => {
        checkChoice(asked);
        return { approved: approveTools(place, { server, ...asked, isReadOnly, who: login.name, clock }) };
      },
    }),
    route({
      method: "POST",
      path: "/servers/{server}/tools/roll-back",
      summary: "Pins again what an earlier version had.",
      tag,
      role: "operator",
      params,
      body: z.strictObject({ to: z.int().min(0), because }),
      answer: toolVersionAnswer,
      touches: "tools",
      handle: ({ params: { server }, body, login }) =>
        rollBackTools(place, { server, ...body, who: login.name, clock }),
    }),
  ];
}

/** @throws Refusal `bad_message` */
function checkChoice({ tools, contentHash }: Pick<z.output<typeof approval>, "contentHash" | "tools">): void {
  const isOne = contentHash !== undefined;
  if (tools !== "all" && tools.length === 0 && !isOne)
    throw new Refusal("bad_message", 'body: expected tools, a contentHash, or "all".');
  if (isOne && (tools === "all" || tools.length > 1))
    throw new Refusal("bad_message", "body: a contentHash goes with one tool.");
}
