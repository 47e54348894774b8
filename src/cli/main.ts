/** `latticegate`: arguments to command to exit code. 0 done · 1 found wanting or failed · 2 called wrongly · 3 a plan breaks something. */
import { Refusal } from "../kernel/refusal.ts";
import { version } from "../app/version.ts";
import { auditExport, auditVerifier, auditVerifyBundle } from "./audit-export.ts";
import { auditKeys } from "./audit-keys.ts";
import { auditQuery } from "./audit-query.ts";
import { auditReceipt, auditVerifyReceipt } from "./audit-receipt.ts";
import { auditDigest, auditErase, auditSubjects } from "./audit-subjects.ts";
import { auditRenew } from "./audit-renew.ts";
import { auditRenewed } from "./audit-renewed.ts";
import { auditShow, auditTail, auditVerify } from "./audit.ts";
import { auditWitness, auditWitnessAccept, auditWitnessCompare } from "./audit-witness.ts";
import { auditWitnesses } from "./audit-witnesses.ts";
import { caAnchor, caList, caReadmit, caRevoke, caToken } from "./ca.ts";
import { clientConfig } from "./client-config.ts";
import { caBackup, caRestore } from "./ca-backup.ts";
import { caDrill } from "./ca-drill.ts";
import { caImport, caRequest } from "./ca-outside.ts";
import { caCompromised, caRetire, caRoots, caRotate } from "./ca-roots.ts";
import { benchHandshake } from "./bench.ts";
import { type Command, parseCall, usage } from "./command.ts";
import { configCheck, configDocs } from "./config.ts";
import { connect } from "./connect.ts";
import { cryptoApply, cryptoRollback } from "./crypto-apply.ts";
import { cryptoPlan } from "./crypto-plan.ts";
import { cryptoProfiles, cryptoSuites } from "./crypto-profiles.ts";
import { cryptoRotate } from "./crypto-rotate.ts";
import { cryptoPeers, cryptoPeersAccept } from "./crypto-peers.ts";
import { cryptoStatus } from "./crypto-status.ts";
import { delegate } from "./delegate.ts";
import { doctor } from "./doctor.ts";
import { expose } from "./expose.ts";
import { grant, grantRevoke, grants } from "./grant.ts";
import { identityExport } from "./identity.ts";
import { signer, signerInit } from "./signer.ts";
import { status } from "./status.ts";
import { up } from "./up.ts";

/** In the order of help. */
const commands = [
  up,
  connect,
  delegate,
  expose,
  clientConfig,
  grant,
  grants,
  grantRevoke,
  status,
  doctor,
  caToken,
  caAnchor,
  caList,
  caRevoke,
  caReadmit,
  caRoots,
  caRotate,
  caRetire,
  caCompromised,
  caDrill,
  caBackup,
  caRestore,
  caRequest,
  caImport,
  cryptoProfiles,
  cryptoSuites,
  cryptoStatus,
  cryptoPlan,
  cryptoApply,
  cryptoRollback,
  cryptoRotate,
  cryptoPeers,
  cryptoPeersAccept,
  signer,
  signerInit,
  auditTail,
  auditShow,
  auditQuery,
  auditVerify,
  auditReceipt,
  auditVerifyReceipt,
  auditKeys,
  auditSubjects,
  auditErase,
  auditDigest,
  auditExport,
  auditVerifyBundle,
  auditVerifier,
  auditWitness,
  auditWitnessAccept,
  auditWitnessCompare,
  auditWitnesses,
  auditRenew,
  auditRenewed,
  configCheck,
  configDocs,
  identityExport,
  benchHandshake,
] as const satisfies readonly Command[];

// Who reads only the beginning of what is printed (`| head`) has all it wants.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});
process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const out = (line: string): void => void process.stdout.write(`${line}\n`);
  if (args[0] === "--version") {
    out(`latticegate ${version}`);
    return 0;
  }
  const found = find(args);
  if (found === undefined) {
    const asked = args.length === 0 || args[0] === "--help" || args[0] === "help";
    (asked ? out : complain)(
      asked ? overview() : `latticegate: there is no command "${args.join(" ")}"\n\n${overview()}`,
    );
    return asked ? 0 : 2;
  }
  const { command, rest } = found;
  const own = rest.includes("--") ? rest.slice(0, rest.indexOf("--")) : rest;
  if (own.includes("--help")) {
    out(usage(command));
    return 0;
  }
  return await run(command, rest, out);
}

async function run(command: Command, rest: readonly string[], out: (line: string) => void): Promise<number> {
  try {
    return await command.run(parseCall(command, rest, out));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    complain(`latticegate ${command.name}: ${error.message}`);
    return error.code === "bad_config" || error.code === "not_yet" ? 2 : 1;
  }
}

function find(
  args: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } | undefined {
  for (const words of [3, 2, 1]) {
    const command = commands.find(({ name }) => name === args.slice(0, words).join(" "));
    if (command !== undefined) return { command, rest: args.slice(words) };
  }
  return undefined;
}

function overview(): string {
  const lines = commands.map(({ name, arguments: what, summary }) => {
    const left = `  ${name} ${what}`.trimEnd();
    return left.length < 40 ? `${left.padEnd(40)} ${summary}` : `${left}\n${" ".repeat(41)}${summary}`;
  });
  return [
    "latticegate: post-quantum, zero-trust gateway and sidecar for the Model Context Protocol",
    "",
    ...lines,
    "",
    "latticegate COMMAND --help tells a command's options; latticegate --version the version.",
  ].join("\n");
}

function complain(text: string): void {
  process.stderr.write(`${text}\n`);
}
