/**
 * A client, its sidecar, a gateway, an exposed server; and somebody who holds identities of the house on each of the
 * two links between, or in the gateway's own place.
 */
import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { type ConnectOptions, connectHttp, openTunnel } from "../../src/app/connect.ts";
import { type Exposed, type ExposeOptions, startExpose } from "../../src/app/expose.ts";
import { defaultSignatures, type SignatureSettings } from "../../src/app/config/signatures.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { bank, type Bank, type BankClient, bankClient, type Era } from "./bank.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import { freshState, openPolicy, testGateway, type TestGateway } from "./gateway.ts";
import { editIdentity } from "./hybrid.ts";
import { type ManInTheMiddle, manInTheMiddle, type Meddling } from "./man-in-the-middle.ts";

export const ids = {
  gateway: "spiffe://latticegate.local/gateway",
  sidecar: "spiffe://latticegate.local/agent/teller",
  server: "spiffe://latticegate.local/server/bank",
} as const;

/** Where he stands: on one of two links, or instead of the gateway. */
export const places = ["before the gateway", "behind the gateway", "as the gateway"] as const;
type Place = (typeof places)[number];

export interface IntegrityScene {
  readonly bank: Bank;
  readonly house: TestGateway;
  readonly exposed: Exposed & { readonly state: string; readonly log: readonly string[] };
  readonly sidecar: ConnectOptions & { readonly lines: readonly string[] };
  /** Through the sidecar. */
  readonly client: BankClient;
  readonly url: string;
  readonly man: ManInTheMiddle;
}

export interface SceneOptions {
  readonly place: Place;
  /** Which end verifies calls and signs answers: an exposed server, by default, or the gateway itself. */
  readonly servedBy?: "expose" | "gateway";
  /** At all three ends; by default they offer signatures, and what a call needs goes by what it does. */
  readonly signatures?: Partial<SignatureSettings>;
  readonly connect?: Partial<ConnectOptions>;
  readonly expose?: Partial<ExposeOptions>;
  /** Of the gateway, beside its servers. */
  readonly yaml?: string;
  readonly era?: Era;
  /** What he does from the first moment on; nothing by default. */
  readonly meddling?: Meddling;
  /** Of all three ends. */
  readonly clock?: Clock;
}

/** Everything in this process; a man who does nothing until he is told. */
export async function integrityScene(t: Cleanup, options: SceneOptions): Promise<IntegrityScene> {
  const { place, clock = systemClock } = options;
  const signatures = { ...defaultSignatures, ...options.signatures };
  const { use, mode, pins } = signatures;
  const upstream = await bank(t);
  const man = await manInTheMiddle(t);
  const free = await manInTheMiddle(t); // Keeps an address until the exposed server is there: config comes first.
  const behind = place === "behind the gateway" ? man : free;
  const at = `url: "https://${behind.address}/mcp/bank", peer: "${ids.server}"`;
  const servers = `servers: { bank: { ${options.servedBy === "gateway" ? `url: "${upstream.url}"` : at} } }`;
  const house = await testGateway(
    t,
    `${servers}
signatures: { use: ${use}, mode: ${mode}, pins: ${pins} }
${options.yaml ?? openPolicy}`,
    { clock },
  );
  const exposed = await exposedBank(t, house, upstream, { signatures, clock, ...options.expose });
  const far = { address: new URL(exposed.url).host, spiffeId: ids.server };
  await behind.between(house, { as: ids.server, caller: ids.gateway, far });
  const sidecar = await joinedSidecar(t, house, { signatures, clock, ...options.connect });
  if (place !== "behind the gateway") {
    const onward = place === "as the gateway" ? far : { address: house.address, spiffeId: ids.gateway };
    const caller = place === "as the gateway" ? ids.gateway : ids.sidecar;
    await man.between(house, { as: ids.gateway, caller, far: onward });
    await editIdentity(sidecar, (identity) => ({ ...identity, address: man.address }));
  }
  man.meddle(options.meddling ?? {});
  const connection = await connectHttp(sidecar, 0);
  atEnd(t, connection.close);
  const client = await bankClient(connection.url, options);
  return { bank: upstream, house, exposed, sidecar, client, url: connection.url, man };
}

async function exposedBank(
  t: Cleanup,
  house: TestGateway,
  upstream: Bank,
  options: Partial<ExposeOptions> = {},
): Promise<IntegrityScene["exposed"]> {
  const { lines, log } = kept();
  const state = await freshState(t);
  const exposed = await startExpose({
    server: { url: upstream.url },
    listen: "127.0.0.1:0",
    allow: [],
    state,
    joinToken: await tokenFor(house, "server/bank"),
    clock: systemClock,
    log,
    ...options,
  });
  atEnd(t, exposed.stop);
  return { ...exposed, state, log: lines };
}

async function joinedSidecar(
  t: Cleanup,
  house: TestGateway,
  options: Partial<ConnectOptions> = {},
): Promise<IntegrityScene["sidecar"]> {
  const { lines, log } = kept();
  const sidecar = {
    target: "bank",
    state: await freshState(t),
    joinToken: await tokenFor(house, "agent/teller"),
    patienceMs: 0,
    clock: systemClock,
    log,
    lines,
    ...options,
  };
  await (await openTunnel(sidecar)).close();
  return sidecar;
}

function tokenFor({ config, address }: TestGateway, path: string): Promise<string> {
  return makeJoinToken(config, { path, address }, systemClock);
}

function kept(): { readonly lines: string[]; readonly log: ConnectOptions["log"] } {
  const lines: string[] = [];
  const write = (line: string): void => void lines.push(line);
  return { lines, log: systemLog({ level: "debug", clock: systemClock, form: "json", write }) };
}
