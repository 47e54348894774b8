/** The table of all commands, in the order of help. */
import {
  approvalsApprove,
  approvalsDeny,
  approvalsList,
  approvalsShow,
  approvalsToken,
} from "./approvals.ts";
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
import { configCheck, configDocs } from "./config.ts";
import { connect } from "./connect.ts";
import { cryptoApply, cryptoRollback } from "./crypto-apply.ts";
import { cryptoPlan } from "./crypto-plan.ts";
import { cryptoProfiles, cryptoSuites } from "./crypto-profiles.ts";
import { cryptoRotate } from "./crypto-rotate.ts";
import { cryptoPeers, cryptoPeersAccept } from "./crypto-peers.ts";
import { cryptoStatus } from "./crypto-status.ts";
import { detectCalibrate, detectEvalCalls, detectTrainCalls } from "./detect-calls.ts";
import { delegate } from "./delegate.ts";
import { detectEvalFlows, detectTrainFlows } from "./detect-flows.ts";
import { detectSign } from "./detect-sign.ts";
import { detectMutateCalls } from "./detect-mutate-calls.ts";
import { detectReport, detectWatch } from "./detect-watch.ts";
import { detectEvalText, detectEvalTools, detectMutate, detectTrainText } from "./detect-text.ts";
import { doctor } from "./doctor.ts";
import { egressLift, egressList } from "./egress.ts";
import { expose } from "./expose.ts";
import { grant, grantRevoke, grants } from "./grant.ts";
import {
  incidentsClose,
  incidentsLiftSuppression,
  incidentsList,
  incidentsShow,
  incidentsSuppress,
  incidentsSuppressions,
} from "./incidents.ts";
import { identityExport } from "./identity.ts";
import {
  inventoryExport,
  inventoryForget,
  inventoryLabel,
  inventoryList,
  inventoryPlan,
  inventoryShow,
} from "./inventory.ts";
import { killDrill, killOffCommand, killOnCommand, killStatus } from "./kill.ts";
import { outlets, outletsReplay, outletsTest } from "./outlets.ts";
import { pinsApprove, pinsFingerprint, pinsForget, pinsList } from "./pins.ts";
import { policyCheck, policyTest } from "./policy.ts";
import { playbooksApprove, playbooksDeny, playbooksWaiting } from "./proposals.ts";
import { playbooksCheck, playbooksList, playbooksShow, playbooksTry } from "./playbooks.ts";
import {
  policyBundleFollow,
  policyBundleHistory,
  policyBundleMake,
  policyBundleRollBack,
  policyBundleVerify,
} from "./policy-bundle.ts";
import { policyDiff } from "./policy-diff.ts";
import { policyExplain } from "./policy-explain.ts";
import { policyReach } from "./policy-reach.ts";
import { policyReport, policySuggest } from "./policy-suggest.ts";
import { respond, responseLift, responseList, responseRenew, responseShow } from "./response.ts";
import { scan } from "./scan.ts";
import { signer, signerInit } from "./signer.ts";
import { status } from "./status.ts";
import { toolsSign } from "./tools-sign.ts";
import { toolsApprove, toolsDiff, toolsHistory, toolsList, toolsRollBack } from "./tools.ts";
import { up } from "./up.ts";
import type { Command } from "./command.ts";

export const commands = [
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
  scan,
  inventoryList,
  inventoryShow,
  inventoryLabel,
  inventoryForget,
  inventoryExport,
  inventoryPlan,
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
  egressList,
  egressLift,
  outlets,
  outletsTest,
  outletsReplay,
  pinsList,
  pinsApprove,
  pinsForget,
  pinsFingerprint,
  toolsList,
  toolsDiff,
  toolsHistory,
  toolsApprove,
  toolsRollBack,
  toolsSign,
  approvalsList,
  approvalsShow,
  approvalsApprove,
  approvalsDeny,
  approvalsToken,
  incidentsList,
  incidentsShow,
  incidentsClose,
  incidentsSuppress,
  incidentsSuppressions,
  incidentsLiftSuppression,
  respond,
  responseList,
  responseShow,
  responseLift,
  responseRenew,
  killOnCommand,
  killOffCommand,
  killStatus,
  killDrill,
  signer,
  signerInit,
  playbooksList,
  playbooksShow,
  playbooksCheck,
  playbooksTry,
  playbooksWaiting,
  playbooksApprove,
  playbooksDeny,
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
  policyCheck,
  policyTest,
  policyExplain,
  policyDiff,
  policyReach,
  policySuggest,
  policyReport,
  policyBundleMake,
  policyBundleVerify,
  policyBundleHistory,
  policyBundleRollBack,
  policyBundleFollow,
  identityExport,
  detectWatch,
  detectReport,
  detectTrainFlows,
  detectEvalFlows,
  detectTrainText,
  detectEvalText,
  detectEvalTools,
  detectTrainCalls,
  detectCalibrate,
  detectSign,
  detectEvalCalls,
  detectMutate,
  detectMutateCalls,
  benchHandshake,
] as const satisfies readonly Command[];

/** The command that those words begin with, and what comes after its name. */
export function find(
  args: readonly string[],
): { readonly command: Command; readonly rest: readonly string[] } | undefined {
  for (const words of [3, 2, 1]) {
    const command = commands.find(({ name }) => name === args.slice(0, words).join(" "));
    if (command !== undefined) return { command, rest: args.slice(words) };
  }
  return undefined;
}

/** The help about all of them. */
export function overview(): string {
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
