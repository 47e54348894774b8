/** What a workload signs with the key of its SVID (docs/formats/enrolment.md): this link, and the key it wants certified. */
import { concat, utf8 } from "../kernel/bytes.ts";

const context = "latticegate enrolment with an SVID, version 1\n";

/** @param channelBinding of the link it is sent on, `tls-exporter` (RFC 9266); @param csr DER of the request */
export function svidProofText(channelBinding: Uint8Array, csr: Uint8Array): Uint8Array {
  return concat([utf8(context), channelBinding, csr]);
}
