/** `latticegate bench handshake` */
import { constants } from "node:fs";
import { access, writeFile } from "node:fs/promises";
import path from "node:path";

import { costChart } from "../app/bench/cost-chart.ts";
import { costTables, methodOf } from "../app/bench/cost-tables.ts";
import { costParts, type HandshakeCosts, measureHandshakeCosts } from "../app/bench/handshake-costs.ts";
import { markdownTables, textTables } from "../app/bench/render-tables.ts";
import type { Turn } from "../app/bench/rounds.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import type { Command, CommandCall } from "./command.ts";

const formats = {
  text: (costs) => textTables(costTables(costs), methodOf(costs)),
  markdown: (costs) => markdownTables(costTables(costs), methodOf(costs)),
  json: (costs) => JSON.stringify({ format: "latticegate-handshake-costs/1", ...costs }, null, 2),
} as const satisfies Record<string, (costs: HandshakeCosts) => string>;
const formatNames = ["text", "markdown", "json"] as const satisfies readonly (keyof typeof formats)[];

/** A second is about what is slow by itself; more than ten minutes says nothing new. */
const seconds = { usual: 20, least: 1, most: 600 } as const;

export const benchHandshake = {
  options: {
    format: {
      type: "string",
      value: "FORMAT",
      help: `${orList(formatNames)}; text by default.`,
    },
    svg: { type: "string", value: "FILE", help: "Write a chart there as well." },
    seconds: {
      type: "string",
      value: "N",
      help: `How long to measure, ${seconds.least} to ${seconds.most}; ${seconds.usual} by default. Less than 10 gives rough figures.`,
    },
    only: { type: "string", value: "PART", help: `${orList(costParts)}; both by default.` },
  },
  run: async (call) => {
    if (call.positionals.length + call.rest.length > 0) {
      throw new Refusal(
        "bad_config",
        `Expected options alone, found "${[...call.positionals, ...call.rest].join(" ")}".`,
      );
    }
    const render = formats[oneOf(call, "format", formatNames) ?? "text"];
    const only = oneOf(call, "only", costParts);
    const file = call.text("svg");
    const forSeconds = secondsOf(call.text("seconds"));
    if (file !== undefined) await checkFolder(file); // Before the measuring, not after it.
    const costs = await measureHandshakeCosts({
      seconds: forSeconds,
      clock: systemClock,
      ...(only !== undefined && { only }),
      onTurn: (turn) => call.doing(turnText(turn)),
    });
    if (file !== undefined) await write(file, costChart(costs));
    call.out(render(costs));
    return 0;
  },
} as const satisfies Command;

function turnText({ round, rounds, name }: Turn): string {
  const where = round === 0 ? "warming up" : `round ${round} of ${rounds}`;
  return `Measuring, ${where}: ${name}`;
}

/** @throws Refusal `bad_config` if the option's value is another */
function oneOf<const Word extends string>(
  call: CommandCall,
  option: string,
  words: readonly Word[],
): Word | undefined {
  const given = call.text(option);
  const word = words.find((known) => known === given);
  if (given === undefined || word !== undefined) return word;
  throw new Refusal("bad_config", `--${option} takes ${orList(words)}, found "${given}".`);
}

/** @throws Refusal `bad_config` if that isn't a whole number of seconds within the limits */
function secondsOf(given: string | undefined): number {
  if (given === undefined) return seconds.usual;
  const asked = /^\d{1,4}$/.test(given) ? Number(given) : Number.NaN;
  if (asked >= seconds.least && asked <= seconds.most) return asked;
  throw new Refusal(
    "bad_config",
    `--seconds takes a whole number from ${seconds.least} to ${seconds.most}, found "${given}".`,
  );
}

async function checkFolder(file: string): Promise<void> {
  const folder = path.dirname(path.resolve(file));
  try {
    await access(folder, constants.W_OK);
  } catch (cause) {
    throw new Refusal("bad_config", `--svg: nothing can be written to ${folder}.`, { cause });
  }
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw new Refusal("bad_config", `--svg: ${file} can't be written.`, { cause });
  }
}

function orList(words: readonly string[]): string {
  return `${words.slice(0, -1).join(", ")} or ${words.at(-1) ?? ""}`;
}
