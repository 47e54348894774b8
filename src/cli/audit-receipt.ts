/** `latticegate audit receipt | verify-receipt` */
import { writeFile } from "node:fs/promises";

import { loadConfig } from "../app/config.ts";
import { type ReceiptEvent, receiptOf, verifyReceiptFile } from "../app/receipts.ts";
import { statePaths } from "../app/state-folder.ts";
import { asWritten, type LogNames } from "../app/subject-names.ts";
import type { ReceiptVerdict } from "../audit/receipt.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, configFile, configOption } from "./command.ts";
import { namingOptions, placeIn, placeOptions, withNamesFor, logOption } from "./log-place.ts";
import { table } from "./table.ts";

const events: readonly ReceiptEvent[] = ["call.decision", "call.outcome"];

export const auditReceipt = {
  options: {
    ...configOption,
    ...logOption,
    event: { type: "string", value: "EVENT", help: "call.decision or call.outcome; the outcome by default." },
    out: { type: "string", short: "o", value: "FILE", help: "Write it to this file; to stdout by default." },
  },
  run: async (call) => {
    const [callId, ...more] = call.positionals;
    if (callId === undefined || more.length > 0)
      throw new Refusal("bad_config", "Name one call by its id; `latticegate audit query` shows them.");
    const given = call.text("event") ?? "call.outcome";
    const event = events.find((each) => each === given);
    if (event === undefined)
      throw new Refusal("bad_config", `--event takes ${events.join(" or ")}, found "${given}".`);
    const folder = call.text("log") ?? statePaths(loadConfig(configFile(call)).state).log;
    const bytes = await receiptOf({ folder, callId, event });
    const file = call.text("out");
    if (file === undefined) call.out(new TextDecoder().decode(bytes.subarray(0, -1)));
    else {
      await write(file, bytes);
      call.out(`${file}: ${event} of ${callId}`);
    }
    return 0;
  },
} as const satisfies Command;

export const auditVerifyReceipt = {
  options: {
    ...placeOptions,
    ...namingOptions,
    key: {
      type: "string",
      value: "FILE",
      help: "The log's public key, from a place you trust; by default log-key.txt of the state folder, and names are those it knows.",
    },
    crossings: {
      type: "string",
      value: "FOLDER",
      help: "The log's crossings, or the log: for receipts of other generations of its keys than the key file has.",
    },
  },
  run: async (call) => {
    const [file, ...more] = call.positionals;
    if (file === undefined || more.length > 0) throw new Refusal("bad_config", "Name one receipt's file.");
    const key = call.text("key") ?? statePaths(placeIn(call).state).logKey;
    const verdict = await verifyReceiptFile({ file, key, crossings: call.text("crossings") });
    if (verdict.kind !== "holds") {
      call.out(`not to be trusted: ${verdict.why}`);
      return 1;
    }
    const tell = ({ named }: Pick<LogNames, "named">): Promise<void> => {
      for (const line of said({ ...verdict, entry: named(verdict.entry) })) call.out(line);
      return Promise.resolve();
    };
    // With a key from elsewhere there need be no state folder here.
    const isHere =
      call.text("key") === undefined ||
      [call.text("state"), call.text("config")].some((at) => at !== undefined);
    await (isHere ? withNamesFor(call, tell) : tell(asWritten));
    return 0;
  },
} as const satisfies Command;

function said({ entry, index, head }: ReceiptVerdict & { readonly kind: "holds" }): readonly string[] {
  const { facts } = entry;
  const at = head.atUnixS === undefined ? "an unknown time" : new Date(head.atUnixS * 1000).toISOString();
  const details = (["rule", "reason", "status", "duration_ms", "chain", "session"] as const).flatMap(
    (name) => {
      const value = facts[name];
      return value === undefined ? [] : [[name, value]];
    },
  );
  const rows = [
    ["call", entry.callId],
    ["event", entry.event],
    ["time", new Date(entry.atUnixMs).toISOString()],
    ["caller", entry.principal],
    ["tool", entry.tool ?? [facts["server"], facts["method"]].filter(Boolean).join(" ")],
    ["verdict", entry.outcome],
    ...details,
    ["log", head.origin],
    ["index", `${index} of ${head.size} entries`],
    ["head", at],
    [
      "signed by",
      `${head.signedBy.join(", ")} (generation ${head.generations.join(", ")} of the log's keys)`,
    ],
  ];
  return ["holds", ...table(rows)];
}

async function write(file: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(file, bytes, { mode: 0o600 });
  } catch (cause) {
    throw new Refusal("bad_config", `${file} can't be written.`, { cause });
  }
}
