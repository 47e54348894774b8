/** A server process that speaks MCP over its stdin and stdout, in a process group of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, renameSync, statSync } from "node:fs";
import path from "node:path";
import type { Readable } from "node:stream";

import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type Frame, readFrame } from "../../wire/frame.ts";
import { lineReader } from "../../wire/lines.ts";

export interface ChildSpec {
  /** Name of the server, for the log. */
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly cwd?: string;
  /** The whole environment of the process; nothing is inherited beside it. */
  readonly env: Readonly<Record<string, string>>;
  /** Folder for what the process writes to stderr. */
  readonly stderrFolder: string;
  readonly maxLineBytes: number;
  readonly log: Log;
}

export interface Child {
  /** Writes one message. The bytes are the client's own; only line breaks between tokens become spaces. */
  readonly send: (message: Uint8Array) => void;
  /** Lets the process end by itself, then makes it; resolves when its whole group is gone. */
  readonly stop: () => Promise<void>;
}

export interface ChildEvents {
  readonly onMessage: (frame: Frame) => void;
  /** Once, whatever the cause; nothing follows. */
  readonly onEnd: (refusal: Refusal) => void;
}

/** How long a process may take after its stdin closed, and again after SIGTERM. */
const stopStepMs = 2000;
/** What a server may have written to stderr before the file is set aside. */
const maxStderrBytes = 1024 * 1024;

export function startChild(spec: ChildSpec, events: ChildEvents): Child {
  const stderr = openStderr(spec);
  const [program, ...args] = spec.command;
  const child = spawn(program, args, {
    cwd: spec.cwd,
    env: { ...spec.env },
    stdio: ["pipe", "pipe", stderr],
    // A group of its own, so that what it started ends with it.
    detached: true,
  });
  closeSync(stderr);
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("spawned without pipes");
  const ended = new Promise<void>((resolve) => {
    let over = false;
    const end = (text: string, cause?: unknown): void => {
      if (over) return;
      over = true;
      signalGroup(child, "SIGKILL");
      spec.log.info("server.ended", { server: spec.name, pid: child.pid, reason: text });
      events.onEnd(
        new Refusal("upstream_failed", `The server process ${text}.`, { cause, facts: { sent: true } }),
      );
      resolve();
    };
    child.on("error", (cause) => end(`could not be started (${codeOf(cause)})`, cause));
    child.on("exit", (code, signal) => end(`ended (${signal ?? `exit code ${String(code)}`})`));
    stdin.on("error", () => {}); // It is gone; "exit" tells.
    readMessages(stdout, spec, events, end);
  });
  spec.log.info("server.started", { server: spec.name, pid: child.pid });
  return {
    send: (message) => void stdin.write(asLine(message)),
    stop: async () => {
      stdin.end();
      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        if (await within(ended, stopStepMs)) return;
        signalGroup(child, signal);
      }
      await ended;
    },
  };
}

function readMessages(
  stdout: Readable,
  spec: ChildSpec,
  events: ChildEvents,
  end: (text: string, cause?: unknown) => void,
): void {
  const reader = lineReader(spec.maxLineBytes);
  stdout.on("data", (chunk: Buffer) => {
    let lines: readonly Uint8Array[];
    try {
      lines = reader.push(chunk);
    } catch (cause) {
      end(`wrote a line of more than ${spec.maxLineBytes} bytes and was stopped`, cause);
      return;
    }
    for (const line of lines) {
      const frame = frameIn(line);
      // What isn't a message is noise: some servers greet on stdout. Its content may be anything, so it isn't logged.
      if (frame === undefined) spec.log.warn("server.noise", { server: spec.name, bytes: line.length });
      else events.onMessage(frame);
    }
  });
}

function frameIn(line: Uint8Array): Frame | undefined {
  try {
    return readFrame(line);
  } catch {
    return undefined;
  }
}

/** JSON allows line breaks between tokens, the stdio transport doesn't; inside strings they are always escaped. */
function asLine(message: Uint8Array): Buffer {
  const line = Buffer.allocUnsafe(message.length + 1);
  line.set(message);
  for (let i = 0; i < message.length; i++) if (line[i] === 0x0a || line[i] === 0x0d) line[i] = 0x20;
  line[message.length] = 0x0a;
  return line;
}

function openStderr(spec: ChildSpec): number {
  mkdirSync(spec.stderrFolder, { recursive: true, mode: 0o700 });
  const file = path.join(spec.stderrFolder, `${spec.name}.stderr.log`);
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > maxStderrBytes) renameSync(file, `${file}.1`);
  return openSync(file, "a", 0o600);
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is already gone.
  }
}

function codeOf(error: Error): string {
  return "code" in error ? String(error.code) : error.message;
}

async function within(done: Promise<void>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => (timer = setTimeout(() => resolve(false), ms)));
  const won = await Promise.race([done.then(() => true), late]);
  clearTimeout(timer);
  return won;
}
