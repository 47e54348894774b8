/** The gateway's end of held calls: asks people, tells them that something waits, and keeps the record. */
import { hmacSha256 } from "../../crypto/hash.ts";
import { sealSecret } from "../../crypto/sealed.ts";
import type { Approvals, Held, HeldCall } from "../../gate/ports.ts";
import { webhook, type Webhook } from "../../host/net/webhook.ts";
import { readSecretSource } from "../../host/store/secret-source.ts";
import type { ApprovalRequest } from "../../host/store/approval-rows.ts";
import { defaultApprovalBounds, openApprovals, type Settled } from "../../host/store/state-approvals.ts";
import { fromUtf8, toBase64url, utf8 } from "../../kernel/bytes.ts";
import type { ApprovalSettings } from "../config/approvals.ts";
import { statePaths } from "../state-folder.ts";
import { sealedName } from "./approval-operations.ts";
import { approvalRecords } from "./approval-records.ts";

export interface ApprovalDesk extends Approvals {
  /** Writes into the log what isn't there yet. */
  readonly record: () => void;
  /** Where the page is, without its token; the webhook's link leads there unless the config says otherwise. */
  readonly shownAt: (origin: string | undefined) => void;
}

interface Desk extends Omit<Parameters<typeof approvalRecords>[0], "store"> {
  /** The state folder. */
  readonly state: string;
  readonly settings: ApprovalSettings;
  /** 32 bytes: which call it is, and what it says, is told to nobody who has the database alone. */
  readonly key: Uint8Array;
}

/** @throws Refusal `bad_state` if the database can't be opened, `bad_config` if the webhook's token isn't there */
export async function openApprovalDesk(desk: Desk, opening: AsyncDisposableStack): Promise<ApprovalDesk> {
  const { settings, key, clock } = desk;
  const store = openApprovals(statePaths(desk.state).database, {
    ...defaultApprovalBounds,
    open: settings.waiting,
    openOfCaller: settings.waiting_per_caller,
  });
  opening.defer(store.close);
  const records = approvalRecords({ ...desk, store });
  opening.defer(records.stop);
  const hook = await openWebhook(desk, opening);
  const digestKey = hmacSha256(key, utf8("dev.latticegate/held-call@v1"));
  let page: string | undefined;
  return {
    settle: (call) => {
      const asked = {
        ...call,
        digest: toBase64url(hmacSha256(digestKey, utf8(call.content))),
        terms: call.held.map(({ rule, because, terms: { approvers, from } }) => ({
          rule,
          because,
          approvers,
          ...(from && { from }),
        })),
        expiresMs: Math.min(...call.held.map(({ terms }) => terms.expiresMs)),
        seal: (id: string) => sealSecret(key, sealedName(id), utf8(JSON.stringify(call.said))),
      };
      const settled = store.settle(asked, clock.nowUnixMs());
      if (settled.kind === "taken" || (settled.kind === "waiting" && settled.isNew)) records.write();
      if (settled.kind === "waiting" && settled.isNew) {
        const { request } = settled;
        hook?.tell({ id: request.id, body: notice(request, { call, settings, page }) });
      }
      return heldAs(settled);
    },
    record: records.write,
    shownAt: (origin) => (page = origin),
  };
}

async function openWebhook(
  { settings, log }: Desk,
  opening: AsyncDisposableStack,
): Promise<Webhook | undefined> {
  if (settings.webhook === undefined) return undefined;
  const { url, token: source } = settings.webhook;
  const secret = source && (await readSecretSource(source, "The webhook's token can't be read"));
  const token = secret && fromUtf8(secret)?.trim();
  const hook = webhook({ url, log, ...(token !== undefined && { token }) });
  opening.defer(hook.close);
  return hook;
}

/** What is posted: what waits, and never more of the call than its name unless the config says so. */
function notice(
  { id, caller, chain, server, method, name, terms, need, expiresUnixMs }: ApprovalRequest,
  parts: { readonly call: HeldCall; readonly settings: ApprovalSettings; readonly page: string | undefined },
): object {
  const { webhook: terms2 } = parts.settings;
  const link = terms2?.link?.replaceAll("{id}", id) ?? (parts.page && `${parts.page}/approvals/${id}`);
  return {
    event: "approval.request",
    request: id,
    caller,
    ...(chain.length > 0 && { chain }),
    server,
    method,
    name,
    rules: terms.map(({ rule, because }) => ({ rule, because })),
    approvers: need,
    expires: new Date(expiresUnixMs).toISOString(),
    ...(link !== undefined && { link }),
    ...(terms2?.arguments === true && { arguments: parts.call.said }),
  };
}

function heldAs(settled: Settled): Held {
  if (settled.kind === "full") return settled;
  const { id: request, expiresUnixMs, have, need, votes } = settled.request;
  if (settled.kind === "taken") return { kind: "taken", request };
  if (settled.kind === "denied") {
    const reason = votes.find(({ what }) => what === "deny")?.reason;
    return { kind: "denied", request, expiresUnixMs, ...(reason !== undefined && { reason }) };
  }
  const { before } = settled;
  return {
    kind: "waiting",
    request,
    have,
    need,
    expiresUnixMs,
    ...(before && { before: { request: before.id, state: before.state } }),
  };
}
