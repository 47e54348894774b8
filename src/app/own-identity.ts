/** The gateway's own certificates, and the roots they are under: followed while it runs. */
import { randomUUIDv7 } from "node:crypto";

import { generateKeyPair, type KeyPair, type SigningKey, signingKey } from "../crypto/keys.ts";
import { type InForce, type LinkTerms, termsAt } from "../crypto/suites/in-force.ts";
import type { Journal } from "../gate/ports.ts";
import type { ClassicalCredentials } from "../host/net/link-proof.ts";
import type { Credentials, ServerSide } from "../host/net/tls.ts";
import type { KeyFolder } from "../host/store/key-folder.ts";
import type { StateStore } from "../host/store/state-sqlite.ts";
import type { RootRecord, RootStore } from "../host/store/state-roots.ts";
import {
  type Authority,
  issueSvid,
  issuingRoot,
  type Purpose,
  type Root,
  type Svid,
  svidLifetimeMs,
  trustedRoots,
} from "../identity/authority.ts";
import { issueClassicalSvid } from "../identity/classical-authority.ts";
import type { Trust } from "../identity/admission.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import type { OpenClassicalAuthority } from "./classical-authority.ts";
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
  readonly inForce: () => InForce;
  /** What those may speak who were away for a while. */
  readonly comeback: (terms: LinkTerms, roots: readonly RootRecord[]) => LinkTerms;
  /** What certifies the second, classical identity. */
  readonly classical: OpenClassicalAuthority;
  readonly revokedSerials: () => ReadonlySet<string>;
}

/** What the gateway shows at its door and to servers behind `expose`, under the roots of that moment. */
export interface Standing {
  readonly authority: Authority;
  readonly server: ServerSide;
  readonly client: ClientSide;
  /** Keys of the delegations that count, of which the first one signs. */
  readonly delegations: readonly [SigningKey, ...SigningKey[]];
  /** Of all its certificates. */
  readonly serials: readonly string[];
  readonly notAfterUnixMs: number;
}

/** Fresh keys and certificates of the gateway's own, of each algorithm that counts; TLS keys never touch the disk. */
export async function ownStanding(
  own: OwnIdentity,
  authority: Authority,
  records: readonly RootRecord[],
): Promise<Standing> {
  const serials: string[] = [];
  const nowUnixMs = own.clock.nowUnixMs();
  const terms = termsAt(own.inForce(), nowUnixMs);
  const issue = async (purpose: Purpose, root: Root) => {
    const key: KeyPair = generateKeyPair(root.key.suite);
    const approved = { spiffeId: own.spiffeId, purpose, publicKey: key.publicKey };
    const svid = await issueSvid(authority, approved, nowUnixMs, root);
    const twinOf = await recordIssue(svid, approved, "own", own);
    serials.push(twinOf);
    const credentials = credentialsOf(key, svid.certificate, await besideIt(own, { svid, purpose, twinOf }));
    return { credentials };
  };
  const shown = new Map<Root, Issued>();
  const issueAll = async (purpose: Purpose): Promise<readonly Credentials[]> => {
    for (const { id: algorithm } of terms.identities) {
      const root = issuingRoot(authority, { purpose, algorithm }, nowUnixMs);
      if (root !== undefined) shown.set(root, await issue(purpose, root));
    }
    return inOrder(shown, authority.roots[purpose], terms);
  };
  const server = await issueAll("server");
  const client = await issueAll("client");
  const newcomers = [];
  for (const root of oldestOfEach(authority.roots.server)) {
    const issued = shown.get(root) ?? (await issue("server", root));
    newcomers.push({ credentials: issued.credentials, serverRoot: root.certificate });
  }
  return {
    authority,
    server: {
      terms,
      credentials: server,
      clientRoots: trustedRoots(authority, "client"),
      serverRoots: trustedRoots(authority, "server"),
      newcomers: { terms: own.comeback(terms, records), shown: newcomers },
    },
    client: {
      terms,
      credentials: client,
      serverRoots: trustedRoots(authority, "server"),
      revokedSerials: own.revokedSerials,
    },
    delegations: await delegationKeys(own.keys, terms),
    serials,
    notAfterUnixMs: nowUnixMs + svidLifetimeMs,
  };
}

/** Each named after its algorithm. */
async function delegationKeys(
  keys: KeyFolder,
  { identities }: LinkTerms,
): Promise<readonly [SigningKey, ...SigningKey[]]> {
  const [first, ...more] = await Promise.all(
    identities.map(({ id }) => keys.signing(`delegation-${id.toLowerCase()}`, id)),
  );
  if (first === undefined) throw new Error("no algorithm of identities counts");
  return [first, ...more];
}

interface Issued {
  readonly credentials: Credentials;
}

/** Of the roots of one purpose, in the order in which the terms prefer their algorithms. */
function inOrder(
  issued: ReadonlyMap<Root, Issued>,
  roots: readonly Root[],
  { identities }: LinkTerms,
): readonly Credentials[] {
  return identities.flatMap(({ id }) => {
    const root = roots.find((each) => each.key.suite.id === id && issued.has(each));
    return root === undefined ? [] : (issued.get(root)?.credentials ?? []);
  });
}

/** Who joins or comes back after a while is met under the oldest root, which everybody knows who knows any of its algorithm. */
function oldestOfEach(roots: readonly Root[]): readonly Root[] {
  return roots.filter(({ key }, at) => roots.findIndex((each) => each.key.suite.id === key.suite.id) === at);
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
  use: (standing: Standing, why: "renewed" | "changed" | "compromised") => void,
): RootWatch {
  let { authority, serials } = first.standing;
  let known = first.records;
  let seen = signatureOf(own, first.records);
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
    const signature = signatureOf(own, records);
    if (signature !== seen) {
      const next = await loadAuthority(own.trustDomain, own.keys, records);
      const standing = await ownStanding(own, next, records);
      use(standing, wasCompromised(known, records) ? "compromised" : "changed");
      // After the doors: nobody gets a certificate of a root that isn't let in yet.
      ({ authority, serials } = standing);
      [seen, known] = [signature, records];
      own.log.info("identity.roots_changed", {
        server: next.roots.server.map(({ generation }) => generation).join(" "),
        client: next.roots.client.map(({ generation }) => generation).join(" "),
        profile: own.inForce().profile.name,
        identities: standing.server.terms.identities.map(({ id }) => id).join(" "),
        groups: standing.server.terms.groups.map(({ id }) => id).join(" "),
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
        const standing = await ownStanding(own, authority, known);
        use(standing, "renewed");
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

/** Another one whenever something else is to be shown or taken. */
function signatureOf({ inForce, clock }: OwnIdentity, records: readonly RootRecord[]): string {
  const now = inForce();
  const { groups, identities } = termsAt(now, clock.nowUnixMs());
  const names = [...groups, ...identities].map(({ id }) => id);
  return JSON.stringify([records, now.sinceUnixMs, names]);
}

/** What commands did to roots and profiles goes into the audit log; a crash in between writes it twice, never not at all. */
export async function recordEvents({ roots, journal, spiffeId }: OwnIdentity): Promise<void> {
  for (const { id, event, atUnixMs, what, facts } of roots.unrecorded()) {
    await journal.append({
      event,
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
