/**
 * The one error class with which the gateway says no, and the table that maps its codes to the wire.
 * Anything else that is thrown is a fault. Status codes and error codes follow MCP 2026-07-28
 * (streamable HTTP, status mapping); our own JSON-RPC codes stay outside -32768…-32000.
 */

interface RefusalRow {
  /** JSON-RPC error code. */
  readonly rpc: number;
  /** HTTP status. */
  readonly http: number;
}

/** Every reason for which the gateway says no. A row per code; nothing else may invent one. */
const refusals = {
  // What arrived can't be read.
  bad_json: { rpc: -32700, http: 400 },
  bad_message: { rpc: -32600, http: 400 },
  header_mismatch: { rpc: -32020, http: 400 },
  unsupported_version: { rpc: -32022, http: 400 },
  /** As older revisions say it of a handshake (MCP 2025-11-25 lifecycle, error handling). */
  unsupported_handshake: { rpc: -32602, http: 400 },
  bad_envelope: { rpc: -32602, http: 400 },
  /** Of a multi round-trip request: not whole, another's, or too old (MCP 2026-07-28, MRTR). */
  request_state: { rpc: -32602, http: 200 },
  bad_media_type: { rpc: -32600, http: 415 },
  not_acceptable: { rpc: -32600, http: 406 },
  too_large: { rpc: -32600, http: 413 },
  method_not_allowed: { rpc: -32600, http: 405 },
  // Who sent it isn't who may.
  no_identity: { rpc: -31401, http: 401 },
  /** While its call was under way. */
  identity_revoked: { rpc: -31401, http: 401 },
  identity_expired: { rpc: -31401, http: 401 },
  bad_certificate: { rpc: -31401, http: 401 },
  bad_token: { rpc: -31401, http: 401 },
  /** Proof of possession of a token's key (RFC 9449). */
  bad_proof: { rpc: -31401, http: 401 },
  proof_nonce: { rpc: -31401, http: 401 },
  bad_join_token: { rpc: -31401, http: 401 },
  /** Of a KEM, with one text for all there can be wrong with what a peer sent: a hint would be an oracle. */
  bad_encapsulation: { rpc: -31401, http: 401 },
  proof_refused: { rpc: -31401, http: 401 },
  bad_origin: { rpc: -31403, http: 403 },
  denied: { rpc: -31403, http: 403 },
  /** A rule ends the caller's link as well. */
  cut_off: { rpc: -31403, http: 403 },
  insufficient_scope: { rpc: -31403, http: 403 },
  classical_link: { rpc: -31403, http: 403 },
  link_too_weak: { rpc: -31403, http: 403 },
  /** An algorithm of the link that the profile in force doesn't have (any more). */
  suite_forbidden: { rpc: -31403, http: 403 },
  /** Weaker than the same peer was before. */
  link_regressed: { rpc: -31403, http: 403 },
  /** A rule about links doesn't let it on. */
  link_denied: { rpc: -31403, http: 403 },
  false_claim: { rpc: -31403, http: 403 },
  target_refused: { rpc: -31403, http: 403 },
  /** The caller itself may, but a person has to consent at the server's authorization server first. */
  grant_needed: { rpc: -31403, http: 403 },
  delegation_refused: { rpc: -31403, http: 403 },
  /** People have to approve the call first, or said no. */
  held: { rpc: -31403, http: 403 },
  /** It isn't what it was when it was pinned, or was never approved. */
  tool_blocked: { rpc: -31403, http: 403 },
  /** Of the server: it hasn't what the operator asks of every server, so nobody is connected to it. */
  server_gated: { rpc: -31403, http: 403 },
  /** Of the client itself, not of MCP; its sidecar takes another and asks again. */
  session_ended: { rpc: -31403, http: 403 },
  /** Of the message: none, or one that isn't good enough; nothing was carried out, and a better one will do. */
  signature_required: { rpc: -31403, http: 403 },
  /** Of the message: it isn't what it should be. */
  signature_refused: { rpc: -31403, http: 403 },
  /** Messages went this way that weren't signed by whom they should; a person, or a good statement, opens it again. */
  route_cut: { rpc: -31403, http: 403 },
  /** Of the control room: somebody tries passwords, or a program asks without a pause. */
  too_many_requests: { rpc: -31429, http: 429 },
  // Where it should go isn't there.
  no_such_server: { rpc: -31404, http: 403 },
  no_such_session: { rpc: -31404, http: 404 },
  unknown_name: { rpc: -32602, http: 200 },
  /** As servers say it of a task that isn't there (MCP tasks): another caller's is told like that, too. */
  no_such_task: { rpc: -32602, http: 200 },
  // We can't do it now, so we don't.
  /** The kill switch is on: nothing passes until an operator withdraws it. */
  stopped: { rpc: -31503, http: 503 },
  busy: { rpc: -31503, http: 503 },
  issuer_unavailable: { rpc: -31503, http: 503 },
  signer_unavailable: { rpc: -31503, http: 503 },
  journal_unavailable: { rpc: -31503, http: 503 },
  /** The gateway's log isn't the one its witness saw, and the sidecar was told to refuse calls then. */
  log_incident: { rpc: -31503, http: 503 },
  upstream_failed: { rpc: -31502, http: 502 },
  /** Its link is weaker than it was before; nothing was sent. */
  upstream_regressed: { rpc: -31502, http: 502 },
  upstream_timeout: { rpc: -31504, http: 504 },
  answer_too_large: { rpc: -31502, http: 502 },
  /** Its signature isn't there, or isn't what it should be; the call was carried out. */
  answer_refused: { rpc: -31502, http: 502 },
  // The operator asked for something that isn't so.
  bad_config: { rpc: -31500, http: 500 },
  bad_state: { rpc: -31500, http: 500 },
  signer_refused: { rpc: -31500, http: 500 },
  bad_log: { rpc: -31500, http: 500 },
  /** An algorithm doesn't do what its standard says. */
  self_test_failed: { rpc: -31500, http: 500 },
  not_yet: { rpc: -31501, http: 501 },
} as const satisfies Record<string, RefusalRow>;

export type RefusalCode = keyof typeof refusals;

interface RefusalOptions {
  readonly cause?: unknown;
  /** For the caller too: the error's `data`. */
  readonly data?: unknown;
  /** Further headers of the answer, names and values in turn. */
  readonly headers?: readonly string[];
  /** For the log and the operator, never for the caller. No secret, token or payload. */
  readonly facts?: Readonly<Record<string, string | number | boolean>>;
}

/** The gateway says no. `message` is safe to show to the caller. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  readonly code: RefusalCode;
  readonly facts: Readonly<Record<string, string | number | boolean>>;
  readonly data: unknown;
  readonly headers: readonly string[];

  constructor(code: RefusalCode, publicText: string, options: RefusalOptions = {}) {
    super(publicText, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.facts = options.facts ?? {};
    this.data = options.data;
    this.headers = options.headers ?? [];
  }
}

export function isRefusalCode(text: string): text is RefusalCode {
  return Object.hasOwn(refusals, text);
}

/** The JSON-RPC code and HTTP status of a refusal. */
export function refusalRow(code: RefusalCode): RefusalRow {
  return refusals[code];
}
