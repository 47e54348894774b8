/**
 * Tests that try this deployment: what must be refused is tried, and what must be so is looked at. Each result is an
 * entry of the log; it counts until something happens that could have changed it.
 */
interface TestRow {
  /** What a pass shows. */
  readonly shows: string;
  /** Refusals are tried at the running gateway's own doors; settings are read off what it runs with. */
  readonly kind: "refusal" | "setting";
  /** Events after which an earlier result says nothing any more. */
  readonly until: readonly string[];
}

const restart = ["gateway.start"] as const;
const links = ["gateway.start", "crypto.change"] as const;
const rules = ["gateway.start", "policy.change"] as const;

export const tests = {
  "plain-http": {
    shows: "plain HTTP gets no answer at the front door",
    kind: "refusal",
    until: restart,
  },
  "tls-1.2": { shows: "a TLS 1.2 handshake is refused", kind: "refusal", until: links },
  "classical-only": {
    shows: "a handshake without ML-KEM is refused",
    kind: "refusal",
    until: links,
  },
  "no-certificate": { shows: "nobody without a certificate is answered", kind: "refusal", until: links },
  "foreign-certificate": {
    shows: "a certificate of another authority is refused, whatever name it has",
    kind: "refusal",
    until: links,
  },
  "join-token-twice": {
    shows: "a join token that was used is refused",
    kind: "refusal",
    until: restart,
  },
  "revoked-identity": {
    shows: "an identity that was revoked is refused",
    kind: "refusal",
    until: restart,
  },
  "unknown-server": {
    shows: "a server that isn't in the config is refused",
    kind: "refusal",
    until: restart,
  },
  "tool-without-rule": {
    shows: "a tool that no rule allows its caller is refused",
    kind: "refusal",
    until: rules,
  },
  "wide-delegation": {
    shows: "a delegation that is deeper or longer than may be is refused",
    kind: "refusal",
    until: restart,
  },
  "foreign-token": {
    shows: "an access token that isn't from an issuer that counts, for this server, is refused",
    kind: "refusal",
    until: restart,
  },
  "malformed-json": { shows: "a body that isn't JSON is refused", kind: "refusal", until: restart },
  "deep-json": { shows: "JSON nested beyond bounds is refused", kind: "refusal", until: restart },
  "long-request": {
    shows: "a request longer than the config allows is refused",
    kind: "refusal",
    until: restart,
  },
  "header-mismatch": {
    shows: "a header that contradicts its message is refused",
    kind: "refusal",
    until: restart,
  },
  "old-version": {
    shows: "a version of the protocol older than all there are is refused",
    kind: "setting",
    until: restart,
  },
  "invented-session": {
    shows: "a session id that was invented is refused",
    kind: "refusal",
    until: restart,
  },
  "forged-signature": {
    shows: "a call under a forged message signature is refused",
    kind: "refusal",
    until: restart,
  },
  "replayed-call": {
    shows: "a signed call that is sent a second time is refused",
    kind: "refusal",
    until: restart,
  },
  "page-without-login": {
    shows: "the operators' API answers nobody who isn't logged in",
    kind: "refusal",
    until: restart,
  },
  "page-from-elsewhere": {
    shows: "the operators' API refuses another Host or Origin",
    kind: "refusal",
    until: restart,
  },
  "tampered-log": {
    shows: "a changed entry is told when the newest part of the log is verified",
    kind: "refusal",
    until: restart,
  },
  "agentic-fields": {
    shows: "the newest call of the log as OCSF has each agentic field",
    kind: "setting",
    until: restart,
  },
  outlet: {
    shows: "an outlet is configured, and gets events through",
    kind: "setting",
    until: restart,
  },
  "own-address": {
    shows: "each listener has an address of its own, none is on all interfaces",
    kind: "setting",
    until: restart,
  },
  "sealed-keys": {
    shows: "the keys at rest are sealed, and their folder is its owner's alone",
    kind: "setting",
    until: restart,
  },
  "tools-pinned": {
    shows: "the tools of servers are pinned as they were first seen, or approved",
    kind: "setting",
    until: restart,
  },
  signer: {
    shows: "the root and log keys are with a process of their own",
    kind: "setting",
    until: restart,
  },
  traces: {
    shows: "calls are traced by W3C Trace Context",
    kind: "setting",
    until: restart,
  },
  retention: {
    shows: "entries are kept for half a year at least",
    kind: "setting",
    until: restart,
  },
  "retention-bounded": {
    shows: "the config says when entries are removed",
    kind: "setting",
    until: restart,
  },
  inventory: {
    shows: "the machine or its network was searched for MCP servers within 30 days",
    kind: "setting",
    until: restart,
  },
  owners: {
    shows: "each server in the inventory has an owner and a purpose",
    kind: "setting",
    until: restart,
  },
} as const satisfies Record<string, TestRow>;

export type TestName = keyof typeof tests;

/** The event that a result stands in, with these facts beside it: `what` is the test. */
export const testEvent = "assess.test" as const;

export function testNamed(name: string): TestName | undefined {
  return Object.keys(tests).find((each): each is TestName => each === name);
}
