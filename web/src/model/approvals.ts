/** Held calls as the API has them. What callers wrote is shown as what it is: hidden characters with what they say. */
import { revealed } from "../../../src/wire/hidden-text.ts";
import { fields, items, list, number, text, texts } from "./fields.ts";

export interface Approval {
  readonly id: string;
  readonly state: string;
  readonly what: string;
  /** Who asks, on behalf of whom. */
  readonly caller: string;
  readonly rules: readonly { readonly rule: string; readonly because: string }[];
  readonly have: number;
  readonly need: number;
  readonly expires: string;
  readonly votes: readonly { readonly by: string; readonly what: string; readonly reason: string }[];
  /** Undefined where they weren't asked for, or aren't kept any more. */
  readonly arguments?: readonly { readonly name: string; readonly value: string; readonly isCut: boolean }[];
}

export function readApprovals(value: unknown): readonly Approval[] {
  return items(value).map(readApproval);
}

export function readApproval(value: unknown): Approval {
  const request = fields(value);
  const chain = texts(request["chain"]).map(revealed);
  const caller = revealed(text(request["caller"]));
  const said = request["arguments"];
  return {
    id: text(request["id"]),
    state: text(request["state"]),
    what: revealed(`${text(request["method"])} ${text(request["server"])}/${text(request["name"])}`),
    caller: chain.length === 0 ? caller : `${caller} for ${chain.join(", ")}`,
    rules: list(request["rules"]).map((rule) => ({
      rule: text(rule["rule"]),
      because: revealed(text(rule["because"])),
    })),
    have: number(request["have"]),
    need: number(request["need"]),
    expires: text(request["expires"]),
    votes: list(request["votes"]).map((vote) => ({
      by: text(vote["by"]),
      what: text(vote["what"]),
      reason: revealed(text(vote["reason"])),
    })),
    ...(Array.isArray(said) && {
      arguments: list(said).map((argument) => ({
        name: text(argument["name"]),
        value: text(argument["value"]),
        isCut: argument["isCut"] === true,
      })),
    }),
  };
}

/** Whether somebody may still decide it. */
export function isOpen({ state }: Pick<Approval, "state">): boolean {
  return state === "waiting" || state === "approved";
}
