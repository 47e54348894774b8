/** Servers' tools in the API on loopback: the same as the commands, in JSON. */
import { z } from "zod";

import type { DashboardOptions } from "../../control/dashboard.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import {
  approveTools,
  rollBackTools,
  toolChanges,
  toolHistory,
  type ToolPlace,
  toolRows,
} from "./tool-operations.ts";

/** How the history names who decided by the API: its token says no more. */
const who = "api";

const because = z.string().trim().min(1).max(1000);
const server = z.string().min(1).max(256);

const approval = z.strictObject({
  server,
  tools: z.union([z.literal("all"), z.array(z.string().max(1024)).max(10_000)]).default([]),
  contentHash: z.string().max(256).exactOptional(),
  readOnly: z.boolean().default(false),
  because,
});
const rollBack = z.strictObject({ server, to: z.int().min(0), because });

export function toolRoutes(place: ToolPlace, clock: Clock): Pick<DashboardOptions, "routes" | "changes"> {
  return {
    routes: {
      tools: (query) => ({ tools: toolRows(place, query.get("server") ?? undefined) }),
      "tools/diff": (query) => ({
        changes: toolChanges(place, named(query), query.get("tool") ?? undefined),
      }),
      "tools/history": (query) => ({ versions: toolHistory(place, named(query)) }),
    },
    changes: {
      "tools/approve": (body) => {
        const { readOnly: isReadOnly, ...asked } = read(approval, body);
        const isOne = asked.contentHash !== undefined;
        if (asked.tools !== "all" && asked.tools.length === 0 && !isOne) {
          throw new Refusal("bad_message", 'Expected tools, a contentHash, or "all".');
        }
        if (isOne && (asked.tools === "all" || asked.tools.length > 1)) {
          throw new Refusal("bad_message", "A contentHash goes with one tool.");
        }
        return { approved: approveTools(place, { ...asked, isReadOnly, who, clock }) };
      },
      "tools/roll-back": (body) => rollBackTools(place, { ...read(rollBack, body), who, clock }),
    },
  };
}

function named(query: URLSearchParams): string {
  const name = query.get("server");
  if (name !== null) return name;
  throw new Refusal("bad_message", "Name the server: ?server=NAME.");
}

/** @throws Refusal `bad_message` that names the first wrong place */
function read<T>(schema: z.ZodType<T>, body: unknown): T {
  const result = schema.safeParse(body);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const at = issue?.path.join(".") ?? "";
  throw new Refusal("bad_message", `${at === "" ? "The body" : at}: ${issue?.message ?? "isn't right"}.`);
}
