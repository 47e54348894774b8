/** Whether a signed call counts once: signed by an identity of its own, sent, and sent again as it was. */
import { randomBytes } from "node:crypto";

import { generateKeyPair, signingKey } from "../../crypto/keys.ts";
import { signatureSuite } from "../../crypto/suites/signatures.ts";
import { claimsNow } from "../../integrity/claims.ts";
import { envelopeEdits } from "../../integrity/envelope.ts";
import { messageKeysMethod, writeKeysRequest } from "../../integrity/extension-methods.ts";
import { keySetOf, messageSigner, type MessageSigner } from "../../integrity/key-set.ts";
import { bodyDigest } from "../../integrity/message-digest.ts";
import { signDirect } from "../../integrity/message-signature.ts";
import { gatewayIdOf, spiffeId } from "../../identity/spiffe-id.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import { readFrame } from "../../wire/frame.ts";
import { edited } from "../../wire/json-edit.ts";
import { assessSigningPath } from "../doctor-rule.ts";
import { operatorIdentity, tunnelOf } from "../operator-tunnel.ts";
import {
  ask,
  failed,
  modernCall,
  noSuchTool,
  passed,
  skipped,
  someOwnEnd,
  type TestOutcome,
  type TestScene,
} from "./test-scene.ts";

interface Signing {
  readonly key: MessageSigner;
  readonly issuer: string;
  readonly audience: string;
  readonly nowUnixMs: number;
}

export async function replayedCall({ config, run, clock }: TestScene): Promise<TestOutcome> {
  const server = someOwnEnd(config);
  if (server === undefined) return skipped("the gateway verifies signatures for none of its servers");
  const identity = await operatorIdentity(config, { path: assessSigningPath, address: run.listen }, clock);
  const tunnel = tunnelOf(identity, run.listen);
  try {
    const [weaker, stronger] = (["ML-DSA-65", "ML-DSA-87"] as const).map((id) =>
      signingKey(generateKeyPair(signatureSuite(id))),
    );
    if (weaker === undefined || stronger === undefined) throw new Error("two keys were made");
    const signing: Signing = {
      key: messageSigner(weaker),
      issuer: spiffeId(config.trust_domain, assessSigningPath),
      audience: `${gatewayIdOf(config.trust_domain)}?server=${server}`,
      // Of the second in which an end begins nothing counts.
      nowUnixMs: clock.nowUnixMs() + 1000,
    };
    const introduction = writeKeysRequest({
      keySet: keySetOf([weaker, stronger]),
      sinceUnixMs: clock.nowUnixMs(),
    });
    const keys = { jsonrpc: "2.0", id: "keys", method: messageKeysMethod, params: introduction };
    await ask({ tunnel }, server, await signed(JSON.stringify(keys), signing));
    // It is denied; that comes after its signature counted.
    const { body, headers } = modernCall("tools/call", { name: noSuchTool, arguments: {} });
    const call = await signed(body, signing);
    const first = await ask({ tunnel }, server, call, headers);
    if (first.denial === "signature_refused")
      return skipped(`its signature didn't count: ${first.fault ?? ""}`);
    const again = await ask({ tunnel }, server, call, headers);
    return again.denial === "signature_refused" && again.fault === "replayed"
      ? passed(again.message)
      : failed(`status ${again.status}: ${again.message}`);
  } finally {
    await tunnel.close();
  }
}

async function signed(body: string, { key, nowUnixMs, ...about }: Signing): Promise<string> {
  const frame = readFrame(utf8(body));
  if (frame.kind !== "request") throw new Error("a call is a request");
  const { method, bytes } = frame;
  const said = { direction: "req", ...about, method, body: bodyDigest(bytes) ?? "" } as const;
  const envelope = await signDirect(claimsNow(said, randomBytes(16), nowUnixMs), key);
  return fromUtf8(edited(bytes, envelopeEdits(frame, envelope) ?? [])) ?? "";
}
