/** The extension `dev.latticegate/receipt` from a client's side: asking with a call, reading what came with its answer. */
import { metaMember, withMetaMember } from "../wire/meta.ts";
import { utf8 } from "../kernel/bytes.ts";
import { maxReceiptBytes } from "./receipt.ts";

const member = "dev.latticegate/receipt";

/** What came with an answer. It proves nothing before `verifyReceipt` says that it holds. */
export type AskedReceipt =
  | {
      readonly kind: "receipt";
      /** The call's id in the log. */
      readonly callId: string;
      /** Of the call's outcome in the log. */
      readonly index: number;
      /** What `verifyReceipt` takes, and what may be kept as a file. */
      readonly bytes: Uint8Array;
    }
  /** It wasn't ready in time: `latticegate audit receipt CALLID` has it later. */
  | { readonly kind: "pending"; readonly callId: string; readonly index: number }
  | { readonly kind: "none" }
  | { readonly kind: "unreadable"; readonly why: string };

/** The params of a request that asks for a receipt; what else they hold stays. */
export function withReceipt<T extends object>(params: T): ReturnType<typeof withMetaMember<T>> {
  return withMetaMember(params, member, {});
}

/** The receipt in a result. Never throws. */
export function readReceipt(result: unknown): AskedReceipt {
  const said = metaMember(result, member);
  if (said === undefined) return { kind: "none" };
  if (typeof said !== "object" || said === null) return unreadable("it is no object");
  const { callId, index, receipt, pending } = said as Readonly<Record<string, unknown>>;
  if (typeof callId !== "string") return unreadable("callId is no text");
  if (typeof index !== "number" || !Number.isSafeInteger(index) || index < 0)
    return unreadable("index is no whole number");
  if (pending === true && receipt === undefined) return { kind: "pending", callId, index };
  if (typeof receipt !== "string") return unreadable("receipt is no text");
  if (receipt.length > maxReceiptBytes) return unreadable(`it is longer than ${maxReceiptBytes} bytes`);
  return { kind: "receipt", callId, index, bytes: utf8(receipt) };
}

function unreadable(why: string): AskedReceipt {
  return { kind: "unreadable", why };
}
