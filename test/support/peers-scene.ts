/** A gateway that gives out identities, a relay, and a server that peers call by name. */
import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import type { ConnectOptions } from "../../src/app/connect.ts";
import { type Exposed, type ExposeOptions, startExpose } from "../../src/app/expose.ts";
import { type Relay, type RelayOptions, startRelay } from "../../src/app/peer/relay.ts";
import { everybody } from "../../src/app/peer/segments-file.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import type { Log } from "../../src/kernel/log.ts";
import { atEnd, type Cleanup } from "./cleanup.ts";
import {
  eventually,
  freshState,
  openPolicy,
  stubServer,
  type StubServer,
  testGateway,
  type TestGateway,
} from "./gateway.ts";

export interface PeersScene {
  readonly gateway: TestGateway;
  readonly relay: Relay;
  readonly stub: StubServer;
  readonly exposed: Exposed;
  /** How the relay is named to peers. */
  readonly via: string;
  /** What a caller connects with. */
  readonly caller: (name?: string, target?: string) => Promise<ConnectOptions & { readonly target: string }>;
}

export const silent: Log = systemLog({ level: "error", form: "json", write: () => undefined });

interface SceneOptions {
  readonly relay?: Partial<RelayOptions>;
  readonly expose?: Partial<ExposeOptions>;
  readonly log?: Log;
}

/** @param options what is otherwise than usual */
export async function peersScene(t: Cleanup, options: SceneOptions = {}): Promise<PeersScene> {
  const { log = silent } = options;
  const gateway = await testGateway(t, openPolicy);
  const token = async (path: string): Promise<string> =>
    await makeJoinToken(gateway.config, { path, address: gateway.address }, systemClock);
  const common = { clock: systemClock, log };
  const relay = await startRelay({
    listen: "127.0.0.1:0",
    segments: () => everybody,
    state: await freshState(t),
    joinToken: await token("server/relay"),
    ...common,
    ...options.relay,
  });
  atEnd(t, relay.stop);
  const via = `relay@${relay.address}`;
  const stub = await stubServer(t);
  const exposed = await startExpose({
    server: { url: stub.url },
    listen: "127.0.0.1:0",
    allow: ["spiffe://*/agent/*"],
    peers: { via: [via], isLocal: false },
    state: await freshState(t),
    joinToken: await token("server/files"),
    ...common,
    ...options.expose,
  });
  atEnd(t, exposed.stop);
  return {
    gateway,
    relay,
    stub,
    exposed,
    via,
    caller: async (name = "agent/caller", target = exposed.peerName ?? "") => ({
      target,
      peers: { via: [via], isLocal: false },
      state: await freshState(t),
      joinToken: await token(name),
      patienceMs: 3000,
      ...common,
    }),
  };
}

/** Resolves once the relay knows the exposed server. */
export async function registered({ relay }: PeersScene): Promise<void> {
  await eventually("the server is registered", () => relay.peers().length === 1);
}
