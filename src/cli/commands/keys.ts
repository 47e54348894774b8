/** Commands about authorities, roots, and the cryptography of links. */
import type { CommandRow } from "../command.ts";
import { rotatable } from "../rotatable.ts";

export const keyCommands = [
  {
    name: "ca token",
    arguments: "",
    summary: "Make a join token: one identity, once, within ten minutes.",
    load: async () => (await import("../ca.ts")).caToken,
  },
  {
    name: "ca anchor",
    arguments: "",
    summary:
      "Print where the gateway is and what proves it, for workloads that enrol by themselves; no secret.",
    load: async () => (await import("../ca.ts")).caAnchor,
  },
  {
    name: "ca list",
    arguments: "",
    summary: "List the certificates given out, newest first, and which still count.",
    load: async () => (await import("../ca.ts")).caList,
  },
  {
    name: "ca revoke",
    arguments: "SERIAL|SPIFFE-ID|oauth:…",
    summary:
      "Revoke an identity with its unused join tokens, or a certificate with all it was renewed to or from. A running gateway ends its links and calls within a second, and so do servers behind expose that reach it. Of an OAuth client or user, named as in the audit log, access tokens count no more.",
    load: async () => (await import("../ca.ts")).caRevoke,
  },
  {
    name: "ca readmit",
    arguments: "SPIFFE-ID|oauth:…",
    summary:
      "Let the workload of a revoked identity prove itself again, or a client's access tokens count; certificates that were revoked stay so.",
    load: async () => (await import("../ca.ts")).caReadmit,
  },
  {
    name: "ca roots",
    arguments: "",
    summary: "List the generations of the roots: state, fingerprint, dates.",
    load: async () => (await import("../ca-roots.ts")).caRoots,
  },
  {
    name: "ca rotate",
    arguments: "",
    summary: "Make a new generation of a root beside the old one; both are trusted until `ca retire`.",
    load: async () => (await import("../ca-roots.ts")).caRotate,
  },
  {
    name: "ca retire",
    arguments: "",
    summary: "End the old generation of a root after a rotation; the newest stays.",
    load: async () => (await import("../ca-roots.ts")).caRetire,
  },
  {
    name: "ca compromised",
    arguments: "",
    summary: "Distrust a root whose key may be known, at once, and make a new one. Rehearse with `ca drill`.",
    load: async () => (await import("../ca-roots.ts")).caCompromised,
  },
  {
    name: "ca drill",
    arguments: "",
    summary:
      "Rehearse a compromised root on a copy that is thrown away: backup, restore, distrust, join again.",
    load: async () => (await import("../ca-drill.ts")).caDrill,
  },
  {
    name: "ca backup",
    arguments: "FILE",
    summary: "Write everything that makes the authority into one sealed file; the gateway may run.",
    load: async () => (await import("../ca-backup.ts")).caBackup,
  },
  {
    name: "ca restore",
    arguments: "FILE",
    summary: "Bring a backup back into an empty state folder; a new audit log begins, unless --log is given.",
    load: async () => (await import("../ca-backup.ts")).caRestore,
  },
  {
    name: "ca request",
    arguments: "",
    summary: "Print a PKCS #10 request for a new issuing key, for your own certificate authority to sign.",
    load: async () => (await import("../ca-outside.ts")).caRequest,
  },
  {
    name: "ca import",
    arguments: "FILE",
    summary: "Take what your authority signed: the issuing certificate and all above it, as PEM.",
    load: async () => (await import("../ca-outside.ts")).caImport,
  },
  {
    name: "crypto profiles",
    arguments: "",
    summary: "List the profiles, built in and your own: algorithms, NIST levels, dates, which is in force.",
    load: async () => (await import("../crypto-profiles.ts")).cryptoProfiles,
  },
  {
    name: "crypto suites",
    arguments: "",
    summary: "List every algorithm there is: kind, NIST level, sizes, and until when it counts.",
    load: async () => (await import("../crypto-profiles.ts")).cryptoSuites,
  },
  {
    name: "crypto status",
    arguments: "",
    summary: "Say what is in use now and how strong it is, the weakest first; asks the running gateway.",
    load: async () => (await import("../crypto-status.ts")).cryptoStatus,
  },
  {
    name: "crypto plan",
    arguments: "PROFILE",
    summary: "Say what applying a profile now would change and whom it would break; ends with 3 if it would.",
    load: async () => (await import("../crypto-plan.ts")).cryptoPlan,
  },
  {
    name: "crypto apply",
    arguments: "PROFILE",
    summary: "Put another profile in force; new links have it at once, old ones finish by a deadline.",
    load: async () => (await import("../crypto-apply.ts")).cryptoApply,
  },
  {
    name: "crypto roll-back",
    before: "crypto rollback",
    arguments: "",
    summary: "Put the profile of before the last change in force again.",
    load: async () => (await import("../crypto-apply.ts")).cryptoRollback,
  },
  {
    name: "crypto rotate",
    arguments: Object.keys(rotatable).join("|"),
    summary: `Make new keys, while the gateway runs or not. ${Object.entries(rotatable)
      .map(([what, help]) => `${what}: ${help}`)
      .join(" ")}`,
    load: async () => (await import("../crypto-rotate.ts")).cryptoRotate,
  },
  {
    name: "crypto peers",
    arguments: "",
    summary:
      "List what proven peers were seen to be capable of, what they showed last, and in what that is less than before.",
    load: async () => (await import("../crypto-peers.ts")).cryptoPeers,
  },
  {
    name: "crypto peers accept",
    arguments: "PEER",
    summary:
      "Accept that a peer changed: forget the better suite, so that what it showed last counts. A running gateway follows at once, and it goes on record.",
    load: async () => (await import("../crypto-peers.ts")).cryptoPeersAccept,
  },
] as const satisfies readonly CommandRow[];
