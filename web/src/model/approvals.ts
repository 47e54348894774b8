/** Held calls and what playbooks propose, as the API has them. What callers wrote is shown as what it is. */
import { revealed } from "../../../src/wire/hidden-text.ts";
import { fields, items, list, number, text, texts } from "./fields.ts";
import { shown } from "./names.ts";
import { actionTitle } from "./orders.ts";
import { scopeWords } from "./responses.ts";
import { duration } from "./words.ts";

export interface Vote {
  readonly by: string;
  /** How that one proved it. */
  readonly login: string;
  readonly what: string;
  /** Unix ms, or ISO 8601. */
  readonly at: number | string;
  readonly reason: string;
}

interface Asked {
  readonly id: string;
  readonly state: string;
  readonly what: string;
  readonly have: number;
  readonly need: number;
  readonly asked: string;
  readonly expires: string;
  readonly votes: readonly Vote[];
}

export interface Approval extends Asked {
  readonly kind: "call";
  /** Who asks, on behalf of whom. */
  readonly caller: string;
  readonly asker: string;
  /** Who began first. */
  readonly chain: readonly string[];
  readonly rules: readonly {
    readonly rule: string;
    readonly because: string;
    readonly approvers: number;
    readonly from: readonly string[];
  }[];
  /** Undefined where they weren't asked for, or aren't kept any more. */
  readonly arguments?: readonly { readonly name: string; readonly value: string; readonly isCut: boolean }[];
}

export interface Proposal extends Asked {
  readonly kind: "proposal";
  readonly playbook: string;
  readonly about: string;
  readonly actions: readonly string[];
  readonly because: string;
  /** The call whose finding it was. */
  readonly cause: string;
}

export function readApprovals(value: unknown): readonly Approval[] {
  return items(value).map(readApproval);
}

export function readApproval(value: unknown): Approval {
  const request = fields(value);
  const chain = texts(request["chain"]).map(shown);
  const asker = shown(text(request["caller"]));
  const said = request["arguments"];
  return {
    ...askedOf(request),
    kind: "call",
    what: revealed(`${text(request["method"])} ${text(request["server"])}/${text(request["name"])}`),
    caller: chain.length === 0 ? asker : `${asker} for ${chain.join(", ")}`,
    asker,
    chain,
    rules: list(request["rules"]).map((rule) => ({
      rule: revealed(text(rule["rule"])),
      because: revealed(text(rule["because"])),
      approvers: number(rule["approvers"]),
      from: texts(rule["from"]).map(revealed),
    })),
    ...(Array.isArray(said) && {
      // The gateway has said already what hides in them.
      arguments: list(said).map((argument) => ({
        name: text(argument["name"]),
        value: text(argument["value"]),
        isCut: argument["isCut"] === true,
      })),
    }),
  };
}

export function readProposals(value: unknown): readonly Proposal[] {
  return items(value).map((proposal) => {
    const about = Object.fromEntries(
      Object.entries(fields(proposal["scope"])).map(([name, whom]) => [name, text(whom)]),
    );
    const actions = texts(proposal["actions"]).map(plainAction);
    return {
      ...askedOf(proposal),
      kind: "proposal",
      what: `${actions.join(", then ")}: ${scopeWords(about)}`,
      playbook: revealed(text(proposal["playbook"])),
      about: scopeWords(about),
      actions,
      because: shown(text(proposal["because"])),
      cause: text(proposal["cause"]),
    };
  });
}

/** "quarantine for 3600 s" → "Quarantine for 1 h 0 min". */
function plainAction(words: string): string {
  const [name = "", ...rest] = words.split(" ");
  const seconds = /^for ([\d.]+) s$/.exec(rest.join(" "))?.[1];
  const tail = seconds === undefined ? rest.map(revealed) : [`for ${duration(Number(seconds) * 1000)}`];
  return [actionTitle(name), ...tail].join(" ");
}

function askedOf(asked: Readonly<Record<string, unknown>>): Omit<Asked, "what"> {
  return {
    id: text(asked["id"]),
    state: text(asked["state"]),
    have: number(asked["have"]),
    need: number(asked["need"]),
    asked: text(asked["asked"]),
    expires: text(asked["expires"]),
    votes: list(asked["votes"]).map((vote) => ({
      by: revealed(text(vote["by"])),
      login: revealed(text(vote["login"])),
      what: text(vote["what"]),
      at: typeof vote["atUnixMs"] === "number" ? vote["atUnixMs"] : text(vote["at"]),
      reason: revealed(text(vote["reason"])),
    })),
  };
}

/** Calls and proposals together, the newest first. */
export function newestFirst<T extends Pick<Asked, "asked">>(all: readonly T[]): readonly T[] {
  return all.toSorted((a, b) => Date.parse(b.asked) - Date.parse(a.asked));
}

/** Whether somebody may still decide it. */
export function isOpen({ state }: Pick<Approval, "state">): boolean {
  return state === "waiting" || state === "approved";
}

/** Whether it still waits for somebody. */
export function isWaiting({ state, expires }: Pick<Asked, "expires" | "state">, nowUnixMs: number): boolean {
  return state === "waiting" && !(Date.parse(expires) <= nowUnixMs);
}

/** "4 min 10 s left"; undefined once it is over. */
export function timeLeft(expires: string, nowUnixMs: number): string | undefined {
  const leftMs = Date.parse(expires) - nowUnixMs;
  if (!(leftMs > 0)) return undefined;
  const seconds = Math.ceil(leftMs / 1000);
  if (seconds < 60) return `${seconds} s left`;
  if (seconds < 600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s left`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min left`;
  return `${Math.floor(seconds / 3600)} h left`;
}
