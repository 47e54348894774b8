/** Commands about incidents, and what is done against them. */
import { actionNames, actions } from "../../respond/actions.ts";
import type { CommandRow } from "../command.ts";

export const responseCommands = [
  {
    name: "incidents list",
    arguments: "",
    summary: "List the open incidents, newest first: who did what, and what was done about it.",
    load: async () => (await import("../incidents.ts")).incidentsList,
  },
  {
    name: "incidents show",
    arguments: "ID",
    summary:
      "Show one incident: its story in a few lines, what to do next, then each finding and what was done.",
    load: async () => (await import("../incidents.ts")).incidentsShow,
  },
  {
    name: "incidents close",
    arguments: "ID",
    summary:
      "Close an incident that is dealt with; what was done about it stays in force. It goes on record.",
    load: async () => (await import("../incidents.ts")).incidentsClose,
  },
  {
    name: "incidents suppress",
    arguments: "KIND",
    summary:
      "Make no incidents of one kind of signal that is known and harmless, of one caller, tool or source, for a while.",
    load: async () => (await import("../incidents.ts")).incidentsSuppress,
  },
  {
    name: "incidents suppressions",
    arguments: "",
    summary: "List what is suppressed, until when, and why.",
    load: async () => (await import("../incidents.ts")).incidentsSuppressions,
  },
  {
    name: "incidents lift-suppression",
    arguments: "ID",
    summary: "Make incidents of it again; it goes on record.",
    load: async () => (await import("../incidents.ts")).incidentsLiftSuppression,
  },
  {
    name: "respond",
    arguments: actionNames.join("|"),
    summary: `Do something against a caller, a session, a server or a tool at once, for a time. ${actionNames
      .map((name) => `${name}: ${actions[name].does}`)
      .join(" ")}`,
    load: async () => (await import("../response.ts")).respond,
  },
  {
    name: "response list",
    arguments: "",
    summary: "List what is in force against whom and what, who did it, and when it ends.",
    load: async () => (await import("../response.ts")).responseList,
  },
  {
    name: "response show",
    arguments: "ID",
    summary: "Show one of them: why, by whom, because of which call, and what it becomes.",
    load: async () => (await import("../response.ts")).responseShow,
  },
  {
    name: "response lift",
    arguments: "ID",
    summary: "End it now; it counts for the next call.",
    load: async () => (await import("../response.ts")).responseLift,
  },
  {
    name: "response renew",
    arguments: "ID",
    summary: "Let it last longer: so long from now on, and what comes after it later.",
    load: async () => (await import("../response.ts")).responseRenew,
  },
  {
    name: "kill on",
    arguments: "",
    summary:
      "Stop everything: every call is refused, what runs is ended, also in observe mode and after a restart, until `kill off`.",
    load: async () => (await import("../kill.ts")).killOnCommand,
  },
  {
    name: "kill off",
    arguments: "",
    summary: "Withdraw `kill on`, or another source that is on; calls pass again when none is.",
    load: async () => (await import("../kill.ts")).killOffCommand,
  },
  {
    name: "kill status",
    arguments: "",
    summary:
      "Say whether all calls are stopped, by what, and how that is withdrawn; exit code 1 while they are.",
    load: async () => (await import("../kill.ts")).killStatus,
  },
  {
    name: "kill drill",
    arguments: "",
    summary:
      "Prove on the gateway that runs that the kill switch works: stop all calls with each source, see a real call refused within a second, and let calls pass again. Calls are refused meanwhile.",
    load: async () => (await import("../kill.ts")).killDrill,
  },
  {
    name: "signer",
    arguments: "",
    summary: "Hold the root and log keys in a process of their own, which signs for the gateway.",
    load: async () => (await import("../signer.ts")).signer,
  },
  {
    name: "signer init",
    arguments: "",
    summary: "Make a signer's folder, and move the gateway's root and log keys into it.",
    load: async () => (await import("../signer.ts")).signerInit,
  },
  {
    name: "playbooks list",
    arguments: "",
    summary:
      "List the playbooks: what sets each off, what it does, where it stands, and what of it is in force.",
    load: async () => (await import("../playbooks.ts")).playbooksList,
  },
  {
    name: "playbooks show",
    arguments: "NAME",
    summary: "Show one playbook as it counts, with all that is said by default.",
    load: async () => (await import("../playbooks.ts")).playbooksShow,
  },
  {
    name: "playbooks check",
    arguments: "FILE",
    summary: "Find what is wrong with a file of playbooks, line by line.",
    load: async () => (await import("../playbooks.ts")).playbooksCheck,
  },
  {
    name: "playbooks try",
    arguments: "[FILE]",
    summary:
      "Say what the playbooks in FILE, or those in force, would have done about what the audit log has; nothing is done.",
    load: async () => (await import("../playbooks.ts")).playbooksTry,
  },
  {
    name: "playbooks waiting",
    arguments: "",
    summary: "List what playbooks propose and people have to approve, newest first.",
    load: async () => (await import("../proposals.ts")).playbooksWaiting,
  },
  {
    name: "playbooks approve",
    arguments: "ID",
    summary: "Approve what a playbook proposes: with the last approval that is needed it is done.",
    load: async () => (await import("../proposals.ts")).playbooksApprove,
  },
  {
    name: "playbooks deny",
    arguments: "ID",
    summary: "Deny what a playbook proposes: it isn't done; it goes on record.",
    load: async () => (await import("../proposals.ts")).playbooksDeny,
  },
] as const satisfies readonly CommandRow[];
