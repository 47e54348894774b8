/** The control room for other machines: TLS 1.3 with ML-KEM, a web certificate for browsers, identities for commands. */
import type http from "node:http";
import type net from "node:net";

import { type ControlServerOptions, controlServer } from "../../control/control-server.ts";
import type { Login } from "../../control/login.ts";
import { type Door, frontDoor } from "../../host/net/front-door.ts";
import { listen } from "../../host/net/listen.ts";
import { openDoors } from "../../host/net/tls.ts";
import { openWebDoors } from "../../host/net/web-tls.ts";
import { type Trust, whyEnded } from "../../identity/admission.ts";
import { spiffeId } from "../../identity/spiffe-id.ts";
import { Refusal } from "../../kernel/refusal.ts";
import type { Channel } from "../../model/channel.ts";
import type { Config } from "../config.ts";
import type { Standing } from "../own-identity.ts";
import { pageFolder } from "../page-folder.ts";
import { readCredentials, watchCertificates } from "../web-certificates.ts";
import { type AdmissionNeeds, remoteAdmission } from "./admission.ts";

/** What the gateway shows and takes, as it changes. */
export interface Shows {
  readonly standing: () => Standing;
  readonly onStanding: (act: (standing: Standing) => void) => void;
  readonly trust: () => Trust;
}

type RemoteRoomNeeds = Shows & AdmissionNeeds & Omit<ControlServerOptions, "admission" | "page" | "headers">;

/** A year: browsers come by https alone from then on (RFC 6797). */
const alwaysTls = { "strict-transport-security": "max-age=31536000" };
/** How long a connection may take until somebody who is known asks on it. */
const strangerLifeMs = 60_000;
const reviewMs = 500;

/** @returns the origin it is known by; undefined if the config wants none. @throws Refusal `bad_config` */
export async function openRemoteRoom(
  config: Config,
  needs: RemoteRoomNeeds,
  opening: AsyncDisposableStack,
): Promise<string | undefined> {
  const { remote } = config.control;
  if (remote === undefined) return undefined;
  const { clock, log, standing } = needs;
  const visitors = visitorsOf(config, needs);
  const admission = remoteAdmission({ ...needs, origin: remote.url, ...visitors });
  const server = controlServer({ ...needs, page: pageFolder, headers: alwaysTls, admission });
  server.emit("listening"); // Node looks after timeouts only on servers that listen.
  const serve = (link: net.Socket, channel: Channel): void => {
    visitors.came(link, channel);
    link.once("close", () => door.proven(channel.remote));
    server.emit("connection", link);
  };
  const terms = { ...standing().server.terms, name: standing().inForce.profile.name };
  const web = openWebDoors({
    terms,
    credentials: readCredentials(remote, clock.nowUnixMs()),
    allowsClassical: false,
    asksCertificates: false,
    log,
    onLink: serve,
  });
  const own = openDoors({
    side: standing().server,
    trust: needs.trust,
    log,
    clock,
    onLink: (link) => link.destroy(), // Calls come in at the gateway's own door.
    onCommand: serve,
  });
  needs.onStanding((next) => {
    own.renew(next.server);
    web.setTerms({ ...next.server.terms, name: next.inForce.profile.name });
  });
  const door = frontDoor({ doors: () => joined(web.doors(), own.doors()), log });
  visitors.onKnown(door.proven);
  const watch = watchCertificates(remote, web, needs);
  opening.defer(watch.stop);
  opening.defer(() => {
    door.server.close();
    visitors.end();
  });
  const address = await listen(door.server, remote.address, config.paths.segment);
  log.info("control.open", { url: remote.url, address });
  return remote.url;
}

/** By group, what browsers come for and what commands do. */
function joined(web: readonly Door[], own: readonly Door[]): readonly Door[] {
  return web.map(({ group, admitted }) => {
    const control = own.find((each) => each.group.id === group.id)?.control;
    return { group, ...(admitted && { admitted }), ...(control && { control }) };
  });
}

interface Visitors {
  readonly came: (link: net.Socket, channel: Channel) => void;
  readonly person: (request: http.IncomingMessage) => Login | undefined;
  readonly known: (request: http.IncomingMessage) => void;
  readonly onKnown: (tell: (remote: string) => void) => void;
  readonly end: () => void;
}

/** Who is connected, and what their links prove. */
function visitorsOf(config: Config, { trust, clock }: RemoteRoomNeeds): Visitors {
  const links = new Map<net.Socket, { readonly channel: Channel; readonly stranger: NodeJS.Timeout }>();
  let tell: (remote: string) => void = () => {};
  const whyOver = (channel: Channel): Refusal | undefined =>
    channel.peer.kind === "svid" ? whyEnded(channel, trust(), clock.nowUnixMs()) : undefined;
  // A stream goes on without another request.
  const reviewing = setInterval(() => {
    for (const [link, { channel }] of links) if (whyOver(channel) !== undefined) link.destroy();
  }, reviewMs).unref();
  return {
    came: (link, channel) => {
      const stranger = setTimeout(() => link.destroy(), strangerLifeMs);
      links.set(link, { channel, stranger });
      link.once("close", () => {
        clearTimeout(stranger);
        links.delete(link);
      });
    },
    person: ({ socket }) => {
      const channel = links.get(socket)?.channel;
      if (channel === undefined) throw new Refusal("no_identity", "This link isn't one that was let in.");
      const over = whyOver(channel);
      if (over !== undefined) throw new Refusal("no_identity", over.message);
      return channel.peer.kind === "svid" ? personOf(channel.peer.spiffeId, config) : undefined;
    },
    known: ({ socket }) => {
      const found = links.get(socket);
      if (found === undefined) return;
      clearTimeout(found.stranger);
      tell(found.channel.remote);
    },
    onKnown: (act) => (tell = act),
    end: () => {
      clearInterval(reviewing);
      for (const link of links.keys()) link.destroy();
    },
  };
}

/** @throws Refusal `denied` for whom the config doesn't name */
function personOf(id: string, { trust_domain: domain, control }: Config): Login {
  const found = Object.entries(control.people).find(([name]) => spiffeId(domain, `person/${name}`) === id);
  if (found === undefined)
    throw new Refusal("denied", `${id} is nobody in \`control.people\` of the gateway's config.`);
  const [name, { roles }] = found;
  return { name: `person:${name}`, roles: new Set(roles), by: "identity" };
}
