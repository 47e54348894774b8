/**
 * Control rooms on other machines, as a person's commands know them: a folder each with the person's own identity there
 * (an ML-DSA key that never leaves it, and the certificate of `person/NAME`), and the address.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import path from "node:path";

import { z } from "zod";

import { controlAlpn } from "../../host/net/front-door.ts";
import { clientTlsOptions } from "../../host/net/tls.ts";
import { writePrivateFile } from "../../host/store/files.ts";
import { readJoinToken } from "../../identity/join-token.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { openSidecarIdentity, type SidecarIdentity } from "../sidecar-identity.ts";
import { type ControlRoom, openControlRoom } from "./ask-control.ts";

/** The folder that has them, and what opening one takes. */
export interface RemotesPlace {
  readonly folder: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface KnownRoom {
  readonly name: string;
  /** Such as `https://room.example.com:8444`. */
  readonly url: string;
  /** Whom commands come in as. */
  readonly spiffeId: string;
  /** Its gateway. */
  readonly gateway: string;
}

const roomFile = "control-room.json";
const kept = z.strictObject({ url: z.url(), spiffe_id: z.string(), gateway: z.string() });
const namePattern = /^[a-z\d](?:[a-z\d-]{0,62})$/;
const personPath = "/person/";

/**
 * Redeems a token made for `person/NAME`.
 * @throws Refusal `bad_config` for a name or an address that can't be one, or a name that is taken; what joining throws
 */
export async function joinRoom(
  place: RemotesPlace,
  name: string,
  { url, joinToken }: { readonly url: string; readonly joinToken: string },
): Promise<KnownRoom> {
  const folder = folderOf(place, name);
  if (existsSync(path.join(folder, roomFile)))
    throw new Refusal("bad_config", `"${name}" is known already; "latticegate remote forget ${name}" first.`);
  const origin = originOf(url);
  readJoinToken(joinToken);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const identity = await openSidecarIdentity({ ...place, state: folder, joinToken });
  await identity.stop();
  const { spiffeId, gateway } = identity;
  if (!new URL(spiffeId).pathname.startsWith(personPath)) {
    await rm(folder, { recursive: true });
    throw new Refusal(
      "bad_join_token",
      `The token is for ${spiffeId}, and control rooms let people in: "latticegate ca token --for person/NAME" makes one.`,
    );
  }
  const room = { url: origin, spiffe_id: spiffeId, gateway: gateway.spiffeId };
  await writePrivateFile(path.join(folder, roomFile), `${JSON.stringify(room, undefined, 2)}\n`);
  return { name, url: origin, spiffeId, gateway: gateway.spiffeId };
}

/** By name. */
export async function knownRooms({ folder }: Pick<RemotesPlace, "folder">): Promise<readonly KnownRoom[]> {
  const names = existsSync(folder) ? await readdir(folder) : [];
  const rooms = await Promise.all(
    names.filter((name) => namePattern.test(name)).map((name) => readRoom(folder, name)),
  );
  return rooms.flatMap((room) => room ?? []).toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Its key and certificate, too. @throws Refusal `bad_config` for one that isn't known */
export async function forgetRoom(place: RemotesPlace, name: string): Promise<void> {
  const folder = folderOf(place, name);
  if (!existsSync(folder)) throw unknown(name, await knownRooms(place));
  await rm(folder, { recursive: true });
}

/**
 * INVARIANT: a link proves both ends by ML-DSA under hybrid ML-KEM, and its gateway is the one that was joined.
 * @throws Refusal `bad_config` for one that isn't known; what renewing an identity that has ended throws
 */
export async function openRemoteRoom(place: RemotesPlace, name: string): Promise<ControlRoom> {
  const room = await readRoom(place.folder, name);
  if (room === undefined) throw unknown(name, await knownRooms(place));
  const identity = await openSidecarIdentity({
    ...place,
    state: folderOf(place, name),
    joinToken: undefined,
  });
  const opened = openControlRoom({
    kind: "remote",
    origin: room.url,
    connect: linkOf(room, identity),
    whyUnreachable: (cause) =>
      `${room.url} can't be reached, isn't ${room.gateway} any more, or broke off (${cause}). If it runs as it did, your identity there may be revoked: "latticegate remote forget ${name}", and join anew.`,
  });
  return {
    ...opened,
    close: async () => {
      await opened.close();
      await identity.stop();
    },
  };
}

function linkOf({ gateway }: KnownRoom, identity: SidecarIdentity) {
  return clientTlsOptions({
    profile: identity.terms(),
    serverRoots: identity.serverRoots,
    peerSpiffeId: gateway,
    credentials: identity.credentials(),
    alpn: controlAlpn,
  });
}

async function readRoom(folder: string, name: string): Promise<KnownRoom | undefined> {
  if (!namePattern.test(name)) return undefined;
  const file = path.join(folder, name, roomFile);
  if (!existsSync(file)) return undefined;
  const read = kept.safeParse(JSON.parse(await readFile(file, "utf8")));
  if (!read.success)
    throw new Refusal("bad_state", `${file} isn't one of this version; forget it, and join anew.`);
  const { url, spiffe_id: spiffeId, gateway } = read.data;
  return { name, url, spiffeId, gateway };
}

function folderOf({ folder }: RemotesPlace, name: string): string {
  if (namePattern.test(name)) return path.join(folder, name);
  throw new Refusal("bad_config", `"${name}" can't be a name: small letters, digits and "-", up to 63.`);
}

function originOf(url: string): string {
  const read = URL.canParse(url) ? new URL(url) : undefined;
  if (read?.protocol === "https:" && read.pathname === "/" && read.search === "" && read.username === "")
    return read.origin;
  throw new Refusal(
    "bad_config",
    `Expected the address of a control room as its config has it in control.remote.url, such as https://room.example.com:8444; found "${url}".`,
  );
}

function unknown(name: string, rooms: readonly KnownRoom[]): Refusal {
  const known =
    rooms.length === 0 ? "none is known" : `known are ${rooms.map((room) => room.name).join(", ")}`;
  return new Refusal(
    "bad_config",
    `There is no control room "${name}": ${known}; "latticegate remote join" makes one known.`,
  );
}
