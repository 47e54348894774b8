/** One tool as its server declares it and as it was pinned, with what became of it. */
import type { KeptTools } from "../../host/store/stored-pins.ts";
import { writeDeclaration } from "../../integrity/tools/tool-diff.ts";
import type { PinChange, ToolPins } from "../../integrity/tools/tool-pins.ts";
import type { ToolRow } from "./tool-report.ts";

interface Definition {
  readonly hash: string;
  readonly text: string;
  readonly isCut: boolean;
}

interface ToolTurn {
  readonly version: number;
  /** ISO 8601. */
  readonly at: string;
  readonly what: "changed" | "pinned" | "unpinned";
  readonly hash: string | null;
  readonly who: string;
  readonly because: string;
}

export interface ToolDefinition extends ToolRow {
  readonly pinned: Definition | null;
  readonly offered: Definition | null;
  readonly history: readonly ToolTurn[];
}

/** More than that nobody reads; what was cut is still in the hash. */
const maxText = 64 * 1024;
const maxTurns = 50;

export function toolDefinition(
  row: ToolRow,
  { pins }: KeptTools,
  whoDid: (by: PinChange["by"]) => string,
): ToolDefinition {
  return {
    ...row,
    pinned: definitionOf(row.pinnedHash, pins),
    offered: definitionOf(row.offeredHash, pins),
    history: pins.history
      .flatMap(({ version, atUnixMs, changes, why }) =>
        changes
          .filter(({ name }) => name === row.tool)
          .map(
            ({ from, to, by }) =>
              ({
                version,
                at: new Date(atUnixMs).toISOString(),
                what: to === undefined ? ("unpinned" as const) : from === undefined ? "pinned" : "changed",
                hash: to ?? null,
                who: whoDid(by),
                because: why ?? "",
              }) satisfies ToolTurn,
          ),
      )
      .toReversed()
      .slice(0, maxTurns),
  };
}

function definitionOf(hash: string | undefined, { forms }: ToolPins): Definition | null {
  const form = hash === undefined ? undefined : forms.get(hash);
  if (hash === undefined || form === undefined) return null;
  const text = writeDeclaration(form);
  return { hash, text: text.slice(0, maxText), isCut: text.length > maxText };
}
