/** What the old key signs when an identity is renewed with a new one (docs/formats/enrolment.md). */
import { concat, utf8 } from "../kernel/bytes.ts";

const context = "latticegate renewal with a new key, version 1\n";

/** @param channelBinding of the link it is sent on, `tls-exporter` (RFC 9266); @param csr DER of the request for the new key */
export function renewalProofText(channelBinding: Uint8Array, csr: Uint8Array): Uint8Array {
  return concat([utf8(context), channelBinding, csr]);
}
