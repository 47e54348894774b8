/** An inventory with what is concluded of its tools: marks of each, and what they may do together. */
import type { Inventory } from "./inventory.ts";
import { type MarkedTool, markTools } from "./tools/mark-tools.ts";
import { type ToxicCombination, toxicCombinations } from "./tools/toxic-combinations.ts";

export interface MarkedInventory {
  readonly inventory: Inventory;
  readonly tools: readonly MarkedTool[];
  readonly combinations: readonly ToxicCombination[];
}

export function markedInventory(inventory: Inventory): MarkedInventory {
  const tools = markTools(
    inventory.servers.flatMap(({ id, tools: listed }) =>
      listed === undefined ? [] : [{ server: id, tools: listed }],
    ),
  );
  const reaches = [
    ...inventory.clients.map(({ file }) => ({
      who: file,
      servers: inventory.servers
        .filter(({ evidence }) => evidence.some((each) => each.by === "client" && each.file === file))
        .map(({ id }) => id),
    })),
    ...inventory.callers.map(({ id, servers }) => ({ who: id, servers })),
  ];
  return { inventory, tools, combinations: toxicCombinations(reaches, tools) };
}
