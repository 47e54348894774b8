/** What a refusal says would do: the calling end does it by itself, since nothing was carried out. */
import { authorizationKey } from "../../integrity/denial.ts";
import { type Fields, objectIn, parsedObject } from "../../integrity/fields.ts";
import { readNeed, type SignatureNeed } from "../../integrity/mode.ts";
import { fromUtf8 } from "../../kernel/bytes.ts";
import type { HttpAnswer } from "../net/http-exchange.ts";
import { isTooFarAhead } from "./signing-time.ts";

export interface Cure {
  /** Which refusal it is of: the same one again isn't heeded again. */
  readonly of: string;
  /** How the message is to be signed. */
  readonly need?: SignatureNeed;
  /** The serving end doesn't know our keys, or isn't the one we took it for. */
  readonly asksAgain: boolean;
  /** It waits for what was promised. */
  readonly attests: boolean;
}

/** Refusals are short. */
const maxRefusalBytes = 64 * 1024;

const ofKeys: ReadonlySet<unknown> = new Set(["unknown_key", "wrong_audience", "stripped"]);

/** @returns undefined for an answer that is none, or says of nothing that it would do */
export function cureIn(answer: HttpAnswer, nowUnixMs: number): Cure | undefined {
  const said = refusalIn(answer);
  const of = `${String(said?.["reason"])} ${String(said?.["fault"])}`;
  switch (said?.["reason"]) {
    case "signature_required":
    case "signature_refused":
      return said["remediation"] === "available" ? cureOf(said, of, nowUnixMs) : undefined;
    case "route_cut":
      // A person has to open it again, unless all it lacks is what this end hasn't delivered yet.
      return said["fault"] === "unattested" ? { of, asksAgain: true, attests: true } : undefined;
    default:
      return undefined;
  }
}

function cureOf({ fault, need: wanted }: Fields, of: string, nowUnixMs: number): Cure | undefined {
  const need = readNeed(wanted);
  const asksAgain = ofKeys.has(fault);
  const { notBeforeUnixMs } = need ?? {};
  if (need === undefined) return asksAgain ? { of, asksAgain, attests: false } : undefined;
  // An end that began once more since then refuses for the same reason, of another time.
  const ofThis = notBeforeUnixMs === undefined ? of : `${of} ${notBeforeUnixMs}`;
  return isTooFarAhead(notBeforeUnixMs ?? 0, nowUnixMs)
    ? undefined
    : { of: ofThis, need, asksAgain, attests: false };
}

/** What a refusal says of itself; undefined for anything else. */
export function refusalIn(answer: HttpAnswer): Fields | undefined {
  if (answer.kind !== "whole" || answer.body.length > maxRefusalBytes) return undefined;
  const { body } = answer;
  if (!Buffer.from(body.buffer, body.byteOffset, body.byteLength).includes(authorizationKey))
    return undefined;
  const message = parsedObject(fromUtf8(body) ?? "");
  const meta = objectIn(objectIn(message?.["result"])?.["_meta"]);
  const data = objectIn(objectIn(message?.["error"])?.["data"]);
  return objectIn(meta?.[authorizationKey] ?? data?.[authorizationKey]);
}
