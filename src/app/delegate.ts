/** `latticegate delegate`: a sidecar asks its gateway to give a part of what it may do to another caller. */
import { delegatePath } from "../gate/identity-requests.ts";
import { collected } from "../host/net/http-exchange.ts";
import { fromUtf8, utf8 } from "../kernel/bytes.ts";
import { Refusal } from "../kernel/refusal.ts";
import { type ConnectOptions, openTunnel } from "./connect.ts";

/** What to ask for, as docs/formats/delegation.md names it. */
export interface DelegationRequest {
  readonly to: string;
  readonly tools: readonly string[];
  readonly resources: readonly string[];
  readonly prompts: readonly string[];
  /** Seconds. */
  readonly lifetime?: number;
  readonly depth?: number;
}

/**
 * @returns the credential
 * @throws Refusal `delegation_refused` with the gateway's reason
 */
export async function requestDelegation(
  options: Omit<ConnectOptions, "target">,
  request: DelegationRequest,
): Promise<string> {
  const tunnel = await openTunnel({ ...options, target: "" });
  try {
    const headers = ["content-type", "application/json"];
    const body = utf8(JSON.stringify(request));
    const answer = await collected(await tunnel.send({ method: "POST", path: delegatePath, headers, body }));
    const said = answer.kind === "whole" ? membersIn(answer.body) : {};
    const { access_token: token, message } = said;
    if (answer.status === 200 && typeof token === "string") return token;
    const why = typeof message === "string" ? message : `The gateway answered with status ${answer.status}.`;
    throw new Refusal("delegation_refused", why);
  } finally {
    await tunnel.close();
  }
}

function membersIn(body: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(fromUtf8(body) ?? "") as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}
