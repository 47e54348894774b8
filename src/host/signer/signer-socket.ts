/** The signer's Unix socket: who may connect, how both ends prove themselves, and how requests are answered. */
import { randomBytes } from "node:crypto";
import { chmodSync, rmSync, statSync } from "node:fs";
import net from "node:net";
import path from "node:path";

import { equalInConstantTime, toBase64, toBase64url } from "../../kernel/bytes.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { takeWriterLock } from "../store/writer-lock.ts";
import { within } from "../within.ts";
import { frame, framesOf } from "./frames.ts";
import {
  nonceBytes,
  proofOf,
  proofSchema,
  protocolVersion,
  requestSchema,
  type SignerAnswer,
  type SignerError,
  type SignerRequest,
} from "./messages.ts";

export interface SignerSocketOptions {
  readonly path: string;
  /** Whether the socket's group may connect, too; else its user alone. */
  readonly forGroup: boolean;
  readonly secret: Uint8Array;
  /** @throws Refusal `signer_refused` or `busy` */
  readonly answer: (request: SignerRequest) => Promise<SignerAnswer>;
  readonly log: Log;
}

/** One gateway, its doctor and its status; beyond that somebody is playing. */
const maxConnections = 16;
/** A gateway signs four lines of a head at once, and a few certificates. */
const maxUnderWay = 64;
const handshakeMs = 5000;
const lastAnswersMs = 2000;
/** What a peer that doesn't read may leave unread. */
const maxUnreadBytes = 1024 * 1024;
/** `sun_path` has 104 bytes on macOS, 108 on Linux, and ends with a zero. */
const maxPathBytes = 103;

/** @throws Refusal `bad_state` if another signer serves that socket, or somebody else could replace it */
export async function serveSigner(
  options: SignerSocketOptions,
): Promise<{ readonly close: () => Promise<void> }> {
  checkPlace(options.path);
  const release = takeWriterLock(`${options.path}.lock`, (pid) => servedBy(options.path, `process ${pid}`));
  try {
    // A lock knows the processes of one PID namespace; an answer tells of any.
    if (await isServed(options.path)) throw new Refusal("bad_state", servedBy(options.path, "a signer"));
    rmSync(options.path, { force: true });
    return await bind(options, release);
  } catch (error) {
    release();
    throw error;
  }
}

async function bind(
  options: SignerSocketOptions,
  release: () => void,
): Promise<{ readonly close: () => Promise<void> }> {
  const links = new Set<net.Socket>();
  const talks = new Set<Promise<void>>();
  const server = net.createServer((link) => {
    if (links.size >= maxConnections) {
      link.destroy();
      options.log.warn("signer.too_many_connections", { connections: links.size });
      return;
    }
    links.add(link);
    link.on("error", () => link.destroy());
    link.once("close", () => links.delete(link));
    const talk = converse(link, options).finally(() => talks.delete(talk));
    talks.add(talk);
  });
  await bound(server, options);
  return {
    close: async () => {
      server.close();
      // What was asked is answered; who goes on asking is cut.
      for (const link of links) link.pause();
      await within(Promise.all([...links].map(drained)), lastAnswersMs);
      for (const link of links) link.destroy();
      await Promise.all(talks);
      release();
    },
  };
}

function drained(link: net.Socket): Promise<void> {
  return new Promise((resolve) => {
    link.once("close", () => resolve());
    link.end();
  });
}

/** INVARIANT: the socket is never open to more than it is meant for, not even between bind(2) and chmod(2). */
async function bound(server: net.Server, { path: file, forGroup }: SignerSocketOptions): Promise<void> {
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => {
        reject(new Refusal("bad_state", `${file} can't be listened on: ${cause.message}.`, { cause }));
      });
      // Node binds within this call, so the mask holds for it and for nothing else.
      server.listen(file, resolve);
      process.umask(mask);
    });
  } finally {
    process.umask(mask);
  }
  if (forGroup) chmodSync(file, 0o660);
}

async function converse(link: net.Socket, options: SignerSocketOptions): Promise<void> {
  const { log } = options;
  const late = setTimeout(() => link.destroy(), handshakeMs);
  try {
    const frames = framesOf(link);
    if (!(await proven(link, frames, options.secret))) {
      log.warn("signer.stranger_refused");
      return;
    }
    clearTimeout(late);
    log.info("signer.gateway_connected");
    await answerAll(link, frames, options);
  } catch (error) {
    if (error instanceof Refusal) {
      log.warn("signer.bad_peer", { reason: error.message });
      fail(link, { code: "bad_message", message: error.message });
    }
    // Anything else is a link that broke, which its own end tells.
  } finally {
    clearTimeout(late);
    link.destroySoon();
  }
}

async function proven(
  link: net.Socket,
  frames: AsyncGenerator<unknown, undefined>,
  secret: Uint8Array,
): Promise<boolean> {
  const mine = randomBytes(nonceBytes);
  link.write(frame({ v: protocolVersion, nonce: toBase64url(mine) }));
  const said = proofSchema.safeParse((await frames.next()).value);
  if (!said.success) {
    fail(link, { code: "bad_message", message: "Expected a version, a nonce and a proof." });
    return false;
  }
  if (said.data.v !== protocolVersion) {
    fail(link, { code: "unsupported_version", message: `This signer speaks version ${protocolVersion}.` });
    return false;
  }
  const nonces = { signer: mine, gateway: said.data.nonce };
  if (!equalInConstantTime(said.data.proof, proofOf("gateway", secret, nonces))) {
    fail(link, { code: "bad_proof", message: "That isn't this signer's secret." });
    return false;
  }
  link.write(frame({ proof: toBase64url(proofOf("signer", secret, nonces)) }));
  return true;
}

async function answerAll(
  link: net.Socket,
  frames: AsyncGenerator<unknown, undefined>,
  { answer, log }: SignerSocketOptions,
): Promise<void> {
  const underWay = new Set<Promise<void>>();
  const answered = async (request: SignerRequest): Promise<void> => {
    try {
      link.write(frame(encoded(await answer(request))));
    } catch (error) {
      fail(link, errorOf(error, log), request.id);
    }
  };
  for await (const said of frames) {
    const parsed = requestSchema.safeParse(said);
    if (!parsed.success)
      throw new Refusal("bad_message", "Expected a request as docs/formats/signer.md has it.");
    if (link.writableLength > maxUnreadBytes) throw new Refusal("busy", "Answers aren't read.");
    const { id } = parsed.data;
    if (underWay.size >= maxUnderWay) {
      fail(link, { code: "busy", message: `At most ${maxUnderWay} requests at a time.` }, id);
      continue;
    }
    const answering = answered(parsed.data).finally(() => underWay.delete(answering));
    underWay.add(answering);
  }
  await Promise.all(underWay);
}

function encoded(answer: SignerAnswer): object {
  if ("public_key" in answer) return { ...answer, public_key: toBase64(answer.public_key) };
  return "signature" in answer ? { ...answer, signature: toBase64(answer.signature) } : answer;
}

function errorOf(error: unknown, log: Log): SignerError {
  if (error instanceof Refusal) {
    return { code: error.code === "busy" ? "busy" : "signer_refused", message: error.message };
  }
  log.error("signer.fault", { stack: error instanceof Error ? (error.stack ?? "") : "not an error" });
  return { code: "fault", message: "The signer failed; its log says why." };
}

function fail(link: net.Socket, error: SignerError, id?: number): void {
  if (link.writable) link.write(frame({ ...(id !== undefined && { id }), error }));
}

/** Whoever may write to the folder could put another socket in this one's place. */
function checkPlace(file: string): void {
  if (Buffer.byteLength(file) > maxPathBytes) {
    throw new Refusal("bad_config", `${file}: a socket's path has at most ${maxPathBytes} bytes.`);
  }
  const folder = path.dirname(path.resolve(file));
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new Refusal("bad_config", `${folder} isn't there; make it for the signer's user.`);
  if ((stat.mode & 0o022) !== 0) {
    throw new Refusal(
      "bad_state",
      `${folder} can be written by others than its owner (mode ${(stat.mode & 0o777).toString(8)}); the signer's socket needs a folder of its own.`,
    );
  }
}

function servedBy(file: string, whom: string): string {
  return `${file} is served by ${whom} already; stop that one first.`;
}

function isServed(file: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = net.connect(file);
    probe.once("connect", () => {
      probe.destroy();
      resolve(true);
    });
    probe.once("error", () => resolve(false));
  });
}
