/** SPIFFE IDs (SPIFFE-ID §2): `spiffe://trust-domain/path`, parsed once and compared as text. */
import { Refusal } from "../kernel/refusal.ts";

const trustDomain = /^[a-z0-9._-]{1,255}$/;
const segment = /^(?!\.{1,2}$)[A-Za-z0-9._-]+$/;
/** SPIFFE-ID §2.3. */
const maxIdBytes = 2048;

/** The SPIFFE ID of `path` (without a leading slash) in `domain`. */
export function spiffeId(domain: string, path: string): string {
  if (!isTrustDomain(domain)) throw new Refusal("bad_config", `"${domain}" is no SPIFFE trust domain.`);
  const id = `spiffe://${domain}/${path}`;
  if (
    !isTrustDomain(domain) ||
    !path.split("/").every((part) => segment.test(part)) ||
    id.length > maxIdBytes
  ) {
    throw new Refusal(
      "bad_config",
      `"${path}" is no SPIFFE path: expected segments of letters, digits, ".", "_" and "-", split by "/", e.g. "agent/support".`,
    );
  }
  return id;
}

export function isTrustDomain(text: string): boolean {
  return trustDomain.test(text);
}

/** The trust domain of a well-formed SPIFFE ID with a path; undefined for anything else. */
export function trustDomainOf(id: string): string | undefined {
  if (id.length > maxIdBytes || !id.startsWith("spiffe://")) return undefined;
  const [domain, ...path] = id.slice("spiffe://".length).split("/");
  if (domain === undefined || !isTrustDomain(domain) || path.length === 0) return undefined;
  return path.every((part) => segment.test(part)) ? domain : undefined;
}

/** The one identity of a trust domain's gateway. */
export function gatewayIdOf(domain: string): string {
  return spiffeId(domain, "gateway");
}

/** INVARIANT: exact, since `server/gateway` is a server's name that anybody may ask for. */
export function isGatewayId(id: string): boolean {
  const domain = trustDomainOf(id);
  return domain !== undefined && id === gatewayIdOf(domain);
}

/** Paths of what the gateway uses itself, and of people; nobody gets one by proving who he is. */
export function isReservedPath(path: string): boolean {
  return /^(gateway|operator\/.*|person\/.*|agent\/local)$/.test(path);
}
