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

/** As much of a relay as tests ask for. */
export interface SceneRelay extends Pick<Relay, "peers" | "streams" | "refresh"> {
  /** How it is named to peers. */
  readonly via: string;
}

export interface PeersScene {
  readonly gateway: TestGateway;
  /** The same gateway, at its address and with its state, under another config. */
  readonly restartGateway: (yaml: string) => Promise<TestGateway>;
  readonly relay: SceneRelay;
  readonly stub: StubServer;
  readonly exposed: Exposed;
  /** What a caller connects with. */
  readonly caller: (name?: string, target?: string) => Promise<ConnectOptions>;
}

export const silent: Log = systemLog({ level: "error", form: "json", write: () => undefined });

interface SceneOptions {
  readonly relay?: Partial<RelayOptions>;
  /** Another one than the product's. */
  readonly relayFor?: (gateway: TestGateway) => Promise<SceneRelay>;
  readonly expose?: Partial<ExposeOptions>;
}

/** @param options what is otherwise than usual; resolves once the server is registered */
export async function peersScene(t: Cleanup, options: SceneOptions = {}): Promise<PeersScene> {
  const gateway = await testGateway(t, openPolicy);
  const joining = async (path: string): Promise<Pick<ConnectOptions, "state" | "joinToken">> => ({
    state: await freshState(t),
    joinToken: await makeJoinToken(gateway.config, { path, address: gateway.address }, systemClock),
  });
  const common = { clock: systemClock, log: silent };
  const usual = async (): Promise<SceneRelay> => {
    const relay = await startRelay({
      listen: "127.0.0.1:0",
      segments: () => everybody,
      ...(await joining("server/relay")),
      ...common,
      ...options.relay,
    });
    atEnd(t, relay.stop);
    return { ...relay, via: `relay@${relay.address}` };
  };
  const relay = await (options.relayFor?.(gateway) ?? usual());
  const peers = { via: [relay.via], isLocal: false };
  const stub = await stubServer(t);
  const exposed = await startExpose({
    server: { url: stub.url },
    listen: "127.0.0.1:0",
    allow: ["spiffe://*"],
    peers,
    ...(await joining("server/files")),
    ...common,
    ...options.expose,
  });
  atEnd(t, exposed.stop);
  const isIntroduced = (options.expose?.peers ?? peers).via.length > 0;
  if (isIntroduced) await eventually("the server is registered", () => relay.peers().length === 1);
  return {
    gateway,
    restartGateway: async (yaml) => {
      await gateway.stop();
      const { folder, address: listen } = gateway;
      return await testGateway(t, yaml, { folder, listen });
    },
    relay,
    stub,
    exposed,
    caller: async (name = "agent/caller", target = exposed.peerName ?? "") => ({
      target,
      peers,
      patienceMs: 3000,
      ...(await joining(name)),
      ...common,
    }),
  };
}
