/** The data plane, put together: front door, HTTP, the path of a call. `up` and `expose` share it. */
import type { Profile } from "../crypto/suites.ts";
import { handle } from "../gate/handle.ts";
import type { Ports } from "../gate/ports.ts";
import type { World } from "../gate/world.ts";
import { enrolHttp, type Registrar } from "../host/net/enrol-http.ts";
import { frontDoor } from "../host/net/front-door.ts";
import type { GrantsHttp } from "../host/net/grants-http.ts";
import { listen } from "../host/net/listen.ts";
import { mcpHttp } from "../host/net/mcp-http.ts";
import { type Credentials, openDoors } from "../host/net/tls.ts";

export interface ServeOptions {
  /** `host:port`; port 0 takes a free one. */
  readonly listen: string;
  readonly profile: Profile;
  readonly credentials: Credentials;
  readonly serverRoot: string;
  readonly clientRoots: readonly string[];
  readonly world: () => World;
  readonly ports: Ports;
  readonly maxBodyBytes: number;
  /** Who gives out identities here; absent where nobody does. */
  readonly registrar?: Registrar;
  /** What callers were granted behind this gateway; absent where that can't be. */
  readonly grants?: GrantsHttp;
}

export interface Serving {
  /** `host:port` as bound. */
  readonly address: string;
  readonly renew: (credentials: Credentials) => void;
  /** Takes nothing new, lets calls under way finish for at most `graceMs`, then ends every link. */
  readonly drain: (graceMs: number) => Promise<void>;
}

/** @throws Refusal `bad_config` if the address can't be had */
export async function serve(options: ServeOptions): Promise<Serving> {
  const { ports, registrar } = options;
  const { log, clock } = ports;
  const http = mcpHttp({
    maxBodyBytes: options.maxBodyBytes,
    clock,
    log,
    grants: options.grants,
    onCall: (received) => handle(received, options.world(), ports),
  });
  const enrol = registrar && enrolHttp(registrar, log);
  const { doors, renew } = openDoors({
    profile: options.profile,
    credentials: options.credentials,
    serverRoot: options.serverRoot,
    clientRoots: options.clientRoots,
    trust: () => options.world().trust,
    log,
    onLink: (link, channel) => {
      door.proven(channel.remote);
      http.serve(link, channel);
    },
    ...(enrol && { onEnrol: enrol }),
  });
  const door = frontDoor({ doors, log });
  const address = await listen(door.server, options.listen);
  return {
    address,
    renew,
    drain: async (graceMs) => {
      door.server.close();
      await http.drain(graceMs);
    },
  };
}
