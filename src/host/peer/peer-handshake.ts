/**
 * The beginning of a link between peers (docs/formats/peer.md): TLS 1.3 as on every other link, then the called peer
 * says which long-lived key vouches for the certificate it has just shown; all after that is HTTP/2.
 */
import type net from "node:net";
import type tls from "node:tls";

import type { ParsedCertificate } from "../../crypto/certificate.ts";
import type { KeyPair } from "../../crypto/keys.ts";
import type { LinkTerms } from "../../crypto/suites/in-force.ts";
import {
  certificationSchema,
  certifiedPeer,
  certifyPeer,
  maxCertificationBytes,
  type PeerCertification,
} from "../../identity/peer-certification.ts";
import { fromUtf8, utf8 } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { streamOpener } from "../net/link-on-stream.ts";
import { negotiatedGroup } from "../net/tls.ts";
import { within } from "../within.ts";
import { readExactly } from "./relayed-stream.ts";

/** Of the handshake and the greeting, each; three round trips on the slowest path there is. */
const stepMs = 5000;
const lengthBytes = 2;

export interface PeerExpected {
  readonly peerId: string;
  /** Of `clientTlsOptions`. */
  readonly tls: tls.ConnectionOptions;
  readonly terms: LinkTerms;
  readonly clock: Clock;
}

/** @throws Refusal `bad_certificate` if the other end isn't that peer; what the connection failed with */
export async function meetPeer(stream: net.Socket, expected: PeerExpected): Promise<tls.TLSSocket> {
  const { peerId, tls: options, terms } = expected;
  const open = streamOpener({ ...options, ALPNProtocols: ["h2"] }, () => Promise.resolve(stream));
  const link = await open({ host: peerId, port: 0, servername: undefined }, { timeoutMs: stepMs });
  try {
    negotiatedGroup(link, terms);
    await checkGreeting(link, expected);
    return link;
  } catch (error) {
    link.destroy();
    throw error;
  }
}

async function checkGreeting(link: tls.TLSSocket, { peerId, clock }: PeerExpected): Promise<void> {
  const certificate = link.getPeerX509Certificate();
  const said = await greeting(link);
  if (certificate === undefined || said === undefined)
    throw new Refusal("bad_certificate", "The other end doesn't say which peer it is.");
  const found = certifiedPeer(said, certificate, clock.nowUnixMs());
  if (found !== peerId)
    throw new Refusal("bad_certificate", `Expected the peer ${peerId}, found ${found}.`, {
      facts: { reason: "another peer" },
    });
}

async function greeting(link: tls.TLSSocket): Promise<PeerCertification | undefined> {
  const read = async (): Promise<Buffer | undefined> => {
    const length = await readExactly(link, lengthBytes);
    const bytes = length?.readUInt16BE() ?? 0;
    return bytes > 0 && bytes <= maxCertificationBytes ? await readExactly(link, bytes) : undefined;
  };
  const reading = read();
  if (!(await within(reading, stepMs))) return undefined;
  const bytes = await reading;
  return bytes === undefined ? undefined : certificationSchema.safeParse(parsed(bytes)).data;
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(bytes) ?? "");
  } catch {
    return undefined;
  }
}

export interface Greeter {
  /** What stands before HTTP/2 on a link, written to it. */
  readonly greet: (link: tls.TLSSocket) => Promise<void>;
  readonly certification: (certificate: ParsedCertificate) => Promise<PeerCertification>;
}

/** Certificates of an hour and the ones before them. */
const maxKnown = 8;

/** @param key the peer's long-lived one */
export function greeter(key: KeyPair): Greeter {
  /** By fingerprint: each is signed for once. */
  const known = new Map<string, Promise<PeerCertification>>();
  const certification = (certificate: ParsedCertificate): Promise<PeerCertification> => {
    const { fingerprint256 } = certificate;
    const found = known.get(fingerprint256) ?? certifyPeer(key, certificate);
    known.set(fingerprint256, found);
    const [oldest] = known.size > maxKnown ? known.keys() : [];
    if (oldest !== undefined) known.delete(oldest);
    return found;
  };
  return {
    certification,
    greet: async (link) => {
      const own = link.getX509Certificate();
      if (own === undefined) throw new Error("a server's link has its own certificate");
      const body = utf8(JSON.stringify(await certification(own)));
      const head = Buffer.alloc(lengthBytes);
      head.writeUInt16BE(body.length);
      // INVARIANT: HTTP/2 writes to the link itself, past this one's queue, and not before that is empty.
      const written = new Promise<void>((resolve, reject) =>
        link.write(Buffer.concat([head, body]), (error) => (error ? reject(error) : resolve())),
      );
      if (!(await within(written, stepMs))) throw new Error("The other end doesn't read the greeting.");
    },
  };
}
