/** Which exposed server a certificate proves, where it comes as a client: its certificate is one for servers. */
import { certificateFacts, isIssuedBy, type ParsedCertificate } from "../crypto/certificate.ts";
import { Refusal } from "../kernel/refusal.ts";
import { provenSpiffeId, type Trust } from "./admission.ts";
import { isForServers } from "./authority.ts";

/**
 * The SPIFFE ID of a server. TLS has proven that its key is there; OpenSSL's own verdict is about clients'
 * certificates, so the chain, which is one signature long, is judged here.
 * @throws Refusal `bad_certificate` with the reason
 */
export function provenServerId(
  certificate: ParsedCertificate,
  roots: readonly ParsedCertificate[],
  trust: Trust,
  nowUnixMs: number,
): string {
  const facts = certificateFacts(certificate);
  const refuse = (reason: string): Refusal =>
    new Refusal("bad_certificate", `The server's certificate isn't accepted: ${reason}.`, {
      facts: { reason, serial: facts.serial },
    });
  if (!roots.some((root) => isIssuedBy(certificate, root))) throw refuse("this authority didn't issue it");
  if (!isForServers(certificate)) throw refuse("it isn't for servers");
  if (facts.notBeforeUnixMs > nowUnixMs) throw refuse("it isn't valid yet");
  if (facts.notAfterUnixMs <= nowUnixMs) throw refuse("it has ended");
  return provenSpiffeId(facts, trust);
}
