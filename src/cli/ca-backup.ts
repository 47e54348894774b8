/** `latticegate ca backup | restore` */
import { restoreBackup, writeBackup } from "../app/backup.ts";
import { loadConfig } from "../app/config.ts";
import { systemClock } from "../host/system.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type Command, type CommandCall, configFile, configOption } from "./command.ts";

const passphraseOptions = {
  "passphrase-file": {
    type: "string",
    value: "FILE",
    help: "File with the backup's own passphrase, 16 characters or more.",
  },
  "passphrase-env": {
    type: "string",
    value: "NAME",
    help: "Environment variable with the passphrase instead.",
  },
} as const;

export const caBackup = {
  options: {
    ...configOption,
    ...passphraseOptions,
    log: {
      type: "boolean",
      help: "The audit log's entries as well; they are kept to be read, not continued.",
    },
  },
  run: async (call) => {
    const file = onlyFile(call);
    const config = loadConfig(configFile(call));
    const hasLog = call.flag("log");
    const report = await writeBackup(config, {
      file,
      passphrase: passphrase(call),
      hasLog,
      clock: systemClock,
    });
    call.out(`${file}: ${report.files} files, ${report.bytes} bytes`);
    if (!report.hasUnlock)
      call.out(
        "The secret that unlocks the keys isn't in it, since it lies elsewhere; keep that too, apart from this file.",
      );
    if (!report.hasAuthorityKeys) for (const line of aboutSigner) call.out(line);
    return 0;
  },
} as const satisfies Command;

/** A backup that is taken for the whole authority and isn't is noticed when it is too late. */
const aboutSigner = [
  "The root and log keys aren't in it: the signer has them. Without its folder too nothing can be issued under these",
  "roots again. Stop the signer, copy its --state folder whole (sealed keys, memory.json), and keep the secret that",
  'unlocks it apart from the copy; see docs/guide/signer.md, "Backup".',
];

export const caRestore = {
  options: {
    ...configOption,
    ...passphraseOptions,
    log: {
      type: "string",
      value: "FOLDER",
      help: "The newest log/ of the gateway that is no more and will never run again; it is checked and continued.",
    },
    "danger-replace": {
      type: "boolean",
      help: "Also if there is a state folder already; what is there is moved aside.",
    },
  },
  run: async (call) => {
    const file = onlyFile(call);
    const config = loadConfig(configFile(call));
    const log = call.text("log");
    const isReplacing = call.flag("danger-replace");
    const options = { file, passphrase: passphrase(call), clock: systemClock, isReplacing };
    const report = await restoreBackup(config, { ...options, ...(log !== undefined && { log }) });
    call.out(`${config.state}: ${report.files} files of ${new Date(report.madeUnixMs).toISOString()}`);
    if (report.replaced !== undefined) call.out(`What was there is in ${report.replaced}`);
    for (const line of aboutLog(report)) call.out(line);
    return 0;
  },
} as const satisfies Command;

function aboutLog({ log, oldLog }: { readonly log: string; readonly oldLog: string }): readonly string[] {
  if (log === "continued") {
    return [
      "The log is continued. The gateway it was copied from must never run again: two that write under one key",
      "would be two histories, and whoever compares their heads sees it.",
    ];
  }
  return [
    "A new log begins under new log keys; give its log-key.txt to whoever verifies. What the backup has of the old",
    `log is in ${oldLog}; entries since the backup are only where log/ was copied to.`,
  ];
}

function onlyFile(call: CommandCall): string {
  const [file, ...more] = call.positionals;
  if (file === undefined || more.length > 0) throw new Refusal("bad_config", "Expected one file.");
  return file;
}

function passphrase(call: CommandCall): { readonly file: string } | { readonly env: string } {
  const [file, env] = [call.text("passphrase-file"), call.text("passphrase-env")];
  if (file !== undefined && env === undefined) return { file };
  if (env !== undefined && file === undefined) return { env };
  throw new Refusal(
    "bad_config",
    "Say where the passphrase is: --passphrase-file FILE or --passphrase-env NAME.",
  );
}
