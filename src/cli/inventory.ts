/** `latticegate inventory list`, `inventory show`, `label`, `forget`, `export`, `plan` */
import { randomUUID } from "node:crypto";

import {
  forgetServer,
  type InventoryPlace,
  inventoryPlace,
  keptInventory,
  labelServer,
  serverNamed,
} from "../app/inventory/keep-inventory.ts";
import { version } from "../app/version.ts";
import { writePrivateFile } from "../host/store/files.ts";
import { systemClock } from "../host/system.ts";
import { type Assumptions, defaultAssumptions } from "../inventory/mosca.ts";
import { migrationPlan } from "../inventory/plan.ts";
import { cbomOf } from "../inventory/reports/cbom.ts";
import { csvOf } from "../inventory/reports/csv.ts";
import { htmlOf } from "../inventory/reports/html.ts";
import { parseDurationMs } from "../kernel/units.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, type CommandCall, configOption } from "./command.ts";
import { listText, planText, serverText } from "./inventory-text.ts";
import { jsonText, shown } from "./tools-text.ts";

const json = { type: "boolean", help: "Print JSON." } as const;

const assumptionOptions = {
  "quantum-year": {
    type: "string",
    value: "YEAR",
    help: "When a quantum computer is assumed to break RSA and elliptic curves; 2035 by default, from which NIST IR 8547 disallows them.",
  },
  "migration-years": {
    type: "string",
    value: "YEARS",
    help: "How long the whole migration is assumed to take; 2 by default.",
  },
} as const;

export const inventoryList = {
  options: { ...configOption, json },
  run: async (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const { inventory } = await keptInventory(await placeOf(call));
    if (call.flag("json")) call.out(jsonText(inventory));
    else for (const line of listText(inventory)) call.out(line);
    return 0;
  },
} as const satisfies Command;

export const inventoryShow = {
  options: { ...configOption, json },
  run: async (call) => {
    const { inventory } = await keptInventory(await placeOf(call));
    const server = serverNamed(inventory, oneServer(call));
    if (call.flag("json")) call.out(jsonText(server));
    else for (const line of serverText(server, inventory)) call.out(line);
    return 0;
  },
} as const satisfies Command;

export const inventoryLabel = {
  options: {
    ...configOption,
    owner: { type: "string", value: "WHO", help: "Who answers for it." },
    purpose: { type: "string", value: "TEXT", help: "What it is for." },
    "data-class": {
      type: "string",
      value: "CLASS",
      help: "public, internal, confidential, restricted, or a word of your own.",
    },
    "shelf-life": {
      type: "string",
      value: "TIME",
      help: "How long its data has to stay secret: 10y, or 90d.",
    },
  },
  run: async (call) => {
    const server = await labelServer(await placeOf(call), oneServer(call), labelsOf(call));
    call.out(`${shown(server.id)} is labelled.`);
    return 0;
  },
} as const satisfies Command;

export const inventoryForget = {
  options: configOption,
  run: async (call) => {
    const server = await forgetServer(await placeOf(call), oneServer(call));
    call.out(`${shown(server.id)} is forgotten.`);
    return 0;
  },
} as const satisfies Command;

export const inventoryExport = {
  options: {
    ...configOption,
    as: { type: "string", value: "FORM", help: "json, csv, cbom or html." },
    out: {
      type: "string",
      value: "FILE",
      help: "Where to; to stdout by default. For its owner's eyes alone.",
    },
    ...assumptionOptions,
  },
  run: async (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const text = await exported(call);
    const file = call.text("out");
    if (file === undefined) {
      call.out(text.replace(/\r?\n$/, ""));
      return 0;
    }
    try {
      await writePrivateFile(file, text);
    } catch (cause) {
      throw new Refusal("bad_config", `${file} can't be written.`, { cause });
    }
    call.out(`Written: ${file}`);
    return 0;
  },
} as const satisfies Command;

export const inventoryPlan = {
  options: { ...configOption, ...assumptionOptions, json },
  run: async (call) => {
    if (call.positionals.length > 0) throw new Refusal("bad_config", "Expected no further argument.");
    const assumptions = assumptionsOf(call);
    const { inventory, progress } = await keptInventory(await placeOf(call));
    const plan = migrationPlan(inventory, progress, assumptions);
    if (call.flag("json")) call.out(jsonText(plan));
    else for (const line of planText(plan)) call.out(line);
    return 0;
  },
} as const satisfies Command;

async function exported(call: CommandCall): Promise<string> {
  const form = call.text("as");
  if (form === undefined || !["json", "csv", "cbom", "html"].includes(form))
    throw new Refusal(
      "bad_config",
      `--as takes json, csv, cbom or html; found "${shown(form ?? "nothing")}".`,
    );
  const assumptions = assumptionsOf(call);
  const { inventory, progress } = await keptInventory(await placeOf(call));
  switch (form) {
    case "csv":
      return csvOf(inventory);
    case "html":
      return htmlOf(inventory, migrationPlan(inventory, progress, assumptions));
    case "cbom": {
      const timestamp = new Date(systemClock.nowUnixMs()).toISOString();
      const facts = { serialNumber: `urn:uuid:${randomUUID()}`, timestamp, version };
      return `${jsonText(cbomOf(inventory, facts))}\n`;
    }
    default:
      return `${jsonText({ version: 1, ...inventory })}\n`;
  }
}

function placeOf(call: CommandCall): Promise<InventoryPlace> {
  return inventoryPlace(call.text("config"));
}

function oneServer(call: CommandCall): string {
  const [name, ...more] = call.positionals;
  if (name !== undefined && more.length === 0) return name;
  throw new Refusal("bad_config", 'Name one server; "latticegate inventory list" lists them.');
}

function labelsOf(call: CommandCall): Parameters<typeof labelServer>[2] {
  const [owner, purpose] = [textOf(call, "owner"), textOf(call, "purpose")];
  const [dataClass, shelfLife] = [call.text("data-class"), call.text("shelf-life")];
  if ([owner, purpose, dataClass, shelfLife].every((each) => each === undefined))
    throw new Refusal("bad_config", "Expected --owner, --purpose, --data-class or --shelf-life.");
  if (dataClass !== undefined && !/^[a-z][a-z0-9-]{0,40}$/.test(dataClass))
    throw new Refusal("bad_config", "--data-class takes a word of a-z, 0-9 and dashes.");
  return {
    ...(owner !== undefined && { owner }),
    ...(purpose !== undefined && { purpose }),
    ...(dataClass !== undefined && { dataClass }),
    ...(shelfLife !== undefined && { shelfLifeMs: lifeOf(shelfLife) }),
  };
}

function textOf(call: CommandCall, option: string): string | undefined {
  const text = call.text(option)?.trim();
  if (text === undefined || (text !== "" && text.length <= 256)) return text;
  throw new Refusal("bad_config", `--${option} takes 1 to 256 characters.`);
}

/** Years here are of 365.25 days. */
function lifeOf(text: string): number {
  const years = /^(\d{1,3})y$/.exec(text)?.[1];
  const ms = years === undefined ? parseDurationMs(text) : Number(years) * 365.25 * 86_400_000;
  if (ms !== undefined) return ms;
  throw new Refusal("bad_config", `--shelf-life takes a time such as 10y or 90d; found "${shown(text)}".`);
}

function assumptionsOf(call: CommandCall): Assumptions {
  const number = (
    option: keyof typeof assumptionOptions,
    least: number,
    most: number,
  ): number | undefined => {
    const text = call.text(option);
    const value = text === undefined ? undefined : Number(text);
    if (text === undefined || (/^\d{1,4}$/.test(text) && Number(text) >= least && Number(text) <= most))
      return value;
    throw new Refusal("bad_config", `--${option} takes a number from ${least} to ${most}.`);
  };
  return {
    quantumYear: number("quantum-year", 2025, 2200) ?? defaultAssumptions.quantumYear,
    migrationYears: number("migration-years", 0, 50) ?? defaultAssumptions.migrationYears,
  };
}
