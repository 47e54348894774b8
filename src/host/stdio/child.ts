/** A server process that speaks MCP over its stdin and stdout, in a process group of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";

import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type Frame, tryReadFrame } from "../../wire/frame.ts";
import { asLine, lineReader } from "../../wire/lines.ts";
import { keepStderr } from "./stderr-file.ts";

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
  /**
   * Writes one message. The bytes are the client's own; only line breaks between tokens become spaces.
   * @throws Refusal `busy` if the process doesn't read what it was sent before
   */
  readonly send: (message: Uint8Array) => void;
  /** Stops reading its stdout until each `pause` had its `resume`. */
  readonly pause: () => void;
  readonly resume: () => void;
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
/** After its exit, how long what it wrote last may take to be read. */
const lastWordsMs = 500;
/** What may wait for a process that doesn't read its stdin. */
const maxUnreadBytes = 8 * 1024 * 1024;

export function startChild(spec: ChildSpec, events: ChildEvents): Child {
  const [program, ...args] = spec.command;
  const child = spawn(program, args, {
    cwd: spec.cwd,
    env: { ...spec.env },
    // A group of its own, so that what it started ends with it.
    detached: true,
  });
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let over = false;
  const end = (text: string, cause?: unknown): void => {
    if (over) return;
    over = true;
    signalGroup(child, "SIGKILL");
    child.stdout?.destroy();
    spec.log.info("server.ended", { server: spec.name, pid: child.pid, reason: text });
    events.onEnd(
      new Refusal("upstream_failed", `The server process ${text}.`, { cause, facts: { sent: true } }),
    );
    resolve();
  };
  // Where the process can't even be made, Node leaves its pipes undefined, and tells on the next turn.
  child.on("error", (cause) => end(`could not be started (${codeOf(cause)})`, cause));
  child.on("exit", (code, signal) => {
    const text = `ended (${signal ?? `exit code ${String(code)}`})`;
    signalGroup(child, "SIGKILL");
    child.on("close", () => end(text));
    setTimeout(() => end(text), lastWordsMs).unref();
  });
  child.stdin?.on("error", () => {}); // It is gone; "exit" tells.
  if (child.stderr) keepStderr(child.stderr, spec);
  if (child.stdout)
    readMessages(child.stdout, spec, { end, onMessage: (frame) => over || events.onMessage(frame) });
  spec.log.info("server.started", { server: spec.name, pid: child.pid });
  let pauses = 0;
  return {
    send: (message) => {
      if ((child.stdin?.writableLength ?? 0) > maxUnreadBytes) {
        throw new Refusal("busy", `The server "${spec.name}" doesn't read what it is sent.`);
      }
      child.stdin?.write(asLine(message));
    },
    pause: () => {
      if (pauses++ === 0) child.stdout?.pause();
    },
    resume: () => {
      if (--pauses === 0) child.stdout?.resume();
    },
    stop: async () => {
      child.stdin?.end();
      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        if (await within(ended, stopStepMs)) return;
        signalGroup(child, signal);
      }
      await ended;
    },
  };
}

interface Reading {
  readonly onMessage: (frame: Frame) => void;
  readonly end: (text: string, cause?: unknown) => void;
}

function readMessages(stdout: Readable, spec: ChildSpec, { onMessage, end }: Reading): void {
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
      const frame = tryReadFrame(line);
      // What isn't a message is noise: some servers greet on stdout. Its content may be anything, so it isn't logged.
      if (frame === undefined) spec.log.warn("server.noise", { server: spec.name, bytes: line.length });
      else onMessage(frame);
    }
  });
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
