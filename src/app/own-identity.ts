/** The gateway's own certificates, and the roots they are under: followed while it runs. */
import { randomUUIDv7 } from "node:crypto";

import { generateKeyPair, type KeyPair, signingKey } from "../crypto/keys.ts";
import type { Profile } from "../crypto/suites/profiles.ts";
import type { Journal } from "../gate/ports.ts";
import type { ClassicalCredentials } from "../host/net/link-proof.ts";
import type { ServerSide } from "../host/net/tls.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import type { StateStore } from "../host/store/state-sqlite.ts";
import type { RootRecord, RootStore } from "../host/store/state-roots.ts";
import {
  type Authority,
  issueSvid,
  type Purpose,
  type Root,
  type Svid,
  trustedRoots,
} from "../identity/authority.ts";
import { type ClassicalAuthority, issueClassicalSvid } from "../identity/classical-authority.ts";
import type { Trust } from "../identity/admission.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { credentialsOf } from "./credentials.ts";
import { recordIssue } from "./registrar.ts";
import { loadAuthority } from "./roots.ts";
import type { ClientSide } from "./upstreams.ts";

export interface OwnIdentity {
  readonly keys: KeyFolder;
  readonly roots: RootStore;
  readonly state: StateStore;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly log: Log;
  readonly trustDomain: string;
  /** The gateway's. */
  readonly spiffeId: string;
  readonly suite: Profile["identity"];
  /** What certifies the second, classical identity. */
  readonly classical: { readonly authority: ClassicalAuthority; readonly suite: Profile["classical"] };
  readonly revokedSerials: () => ReadonlySet<string>;
}

/** What the gateway shows at its door and to servers behind `expose`, under the roots of that moment. */
export interface Standing {
  readonly authority: Authority;
  readonly server: ServerSide;
  readonly client: ClientSide;
  /** Of all its certificates. */
  readonly serials: readonly string[];
  readonly notAfterUnixMs: number;
}

/** Fresh keys and certificates of the gateway's own; TLS keys never touch the disk. */
export async function ownStanding(own: OwnIdentity, authority: Authority): Promise<Standing> {
  const serials: string[] = [];
  const issue = async (purpose: Purpose, root?: Root) => {
    const key: KeyPair = generateKeyPair(own.suite);
    const approved = { spiffeId: own.spiffeId, purpose, publicKey: key.publicKey };
    const svid = await issueSvid(authority, approved, own.clock.nowUnixMs(), root);
    const twinOf = await recordIssue(svid, approved, "own", own);
    serials.push(twinOf);
    const credentials = credentialsOf(key, svid.certificate, await besideIt(own, { svid, purpose, twinOf }));
    return { credentials, notAfterUnixMs: svid.notAfterUnixMs };
  };
  // Who joins or comes back after a while is met under the oldest root, which everybody knows who knows any.
  const [oldest, ...newer] = authority.roots.server;
  const server = await issue("server");
  const newcomers = newer.length === 0 ? server : await issue("server", oldest);
  const client = await issue("client");
  return {
    authority,
    server: {
      credentials: server.credentials,
      clientRoots: trustedRoots(authority, "client"),
      serverRoots: trustedRoots(authority, "server"),
      newcomers: { credentials: newcomers.credentials, serverRoot: oldest.certificate },
    },
    client: {
      credentials: client.credentials,
      serverRoots: trustedRoots(authority, "server"),
      revokedSerials: own.revokedSerials,
    },
    serials,
    notAfterUnixMs: server.notAfterUnixMs,
  };
}

/** The classical certificate that goes with one. */
async function besideIt(
  own: OwnIdentity,
  { svid, purpose, twinOf }: { readonly svid: Svid; readonly purpose: Purpose; readonly twinOf: string },
): Promise<ClassicalCredentials> {
  const { authority, suite } = own.classical;
  const key = generateKeyPair(suite);
  const { certificate } = await issueClassicalSvid(authority, { svid, purpose, publicKey: key.publicKey });
  const beside = { purpose, isClassical: true, twinOf };
  await recordIssue({ ...svid, certificate }, beside, "own", own);
  const peers = purpose === "server" ? authority.roots.client : authority.roots.server;
  return { certificate, key: signingKey(key), peerRoots: [peers.certificate] };
}

export interface RootWatch {
  readonly authority: () => Authority;
  /** Whether one of the certificates in use was revoked. */
  readonly isRevoked: (trust: Pick<Trust, "revokedSerials">) => boolean;
  /** Looks at the roots again; to be called when the state database changed. */
  readonly refresh: () => void;
  /** New certificates under the roots there are. @returns when they end */
  readonly renew: () => Promise<number>;
  /** Once it resolves, nothing is under way. */
  readonly stop: () => Promise<void>;
}

const retryMs = 5000;

/** Follows the roots: what a command changed is put in force through `use`, one change after the other. */
export function watchRoots(
  own: OwnIdentity,
  first: { readonly standing: Standing; readonly records: readonly RootRecord[] },
  use: (standing: Standing, old: "finish" | "cut") => void,
): RootWatch {
  let { authority, serials } = first.standing;
  let seen = first.records;
  let queue: Promise<void> = Promise.resolve();
  let isOver = false;
  let retry: NodeJS.Timeout | undefined;
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = queue.then(work);
    queue = mine.then(nothing, nothing);
    return await mine;
  };
  const takeUp = async (): Promise<void> => {
    const records = own.roots.roots();
    if (isOver) return;
    if (JSON.stringify(records) !== JSON.stringify(seen)) {
      const next = await loadAuthority(own.trustDomain, own.keys, records);
      const standing = await ownStanding(own, next);
      use(standing, wasCompromised(seen, records) ? "cut" : "finish");
      // After the doors: nobody gets a certificate of a root that isn't let in yet.
      ({ authority, serials } = standing);
      seen = records;
      own.log.info("identity.roots_changed", {
        server: next.roots.server.map(({ generation }) => generation).join(" "),
        client: next.roots.client.map(({ generation }) => generation).join(" "),
      });
    }
    await recordEvents(own);
  };
  const refresh = (): void => {
    clearTimeout(retry);
    inTurn(takeUp).catch((error: unknown) => {
      own.log.error("identity.roots_unusable", {
        reason: error instanceof Error ? error.message : "unknown",
      });
      if (!isOver) retry = setTimeout(refresh, retryMs).unref();
    });
  };
  return {
    authority: () => authority,
    isRevoked: ({ revokedSerials }) => serials.some((serial) => revokedSerials.has(serial)),
    refresh,
    renew: () =>
      inTurn(async () => {
        const standing = await ownStanding(own, authority);
        use(standing, "finish");
        ({ serials } = standing);
        return standing.notAfterUnixMs;
      }),
    stop: async () => {
      isOver = true;
      clearTimeout(retry);
      await queue;
    },
  };
}

function nothing(): void {}

/** What commands did to the roots goes into the audit log; a crash in between writes it twice, never not at all. */
export async function recordEvents({ roots, journal, spiffeId }: OwnIdentity): Promise<void> {
  for (const { id, atUnixMs, what, facts } of roots.unrecorded()) {
    await journal.append({
      event: "identity.root",
      atUnixMs,
      callId: randomUUIDv7(),
      principal: spiffeId,
      tool: null,
      outcome: "allowed",
      facts: { what, ...facts },
    });
    roots.recorded(id);
  }
}

function wasCompromised(before: readonly RootRecord[], after: readonly RootRecord[]): boolean {
  const known = new Set(before.filter(isCompromised).map(nameOf));
  return after.some((root) => isCompromised(root) && !known.has(nameOf(root)));
}

function isCompromised({ ended }: RootRecord): boolean {
  return ended?.how === "compromised";
}

function nameOf({ purpose, generation }: RootRecord): string {
  return `${purpose} ${generation}`;
}
