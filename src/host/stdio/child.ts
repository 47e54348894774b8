/** A server process that speaks MCP over its stdin and stdout, in a process group of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Readable } from "node:stream";

import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { type Frame, tryReadFrame } from "../../wire/frame.ts";
import { asLine, lineReader } from "../../wire/lines.ts";
import type { Link, LinkEvents } from "../link/link.ts";
import { within } from "../within.ts";
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

/** How long a process may take after its stdin closed, and again after SIGTERM. */
const stopStepMs = 2000;
/** After its exit, how long what it wrote last may take to be read. */
const lastWordsMs = 500;
/** What may wait for a process that doesn't read its stdin. */
const maxUnreadBytes = 8 * 1024 * 1024;

/**
 * The link over its stdin and stdout. Of what is sent, line breaks between tokens become spaces; `stop` lets the
 * process end by itself, then makes it, and resolves when its whole group is gone.
 */
export function startChild(spec: ChildSpec, events: LinkEvents): Link {
  const [program, ...args] = spec.command;
  const child = spawn(program, args, {
    cwd: spec.cwd,
    env: { ...spec.env },
    // A group of its own, so that what it started ends with it.
    detached: true,
  });
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  let over = false;
  const end = (text: string, cause?: unknown, sent = true): void => {
    if (over) return;
    over = true;
    signalGroup(child, "SIGKILL");
    child.stdout?.destroy();
    spec.log.info("server.ended", { server: spec.name, pid: child.pid, reason: text });
    events.onEnd(new Refusal("upstream_failed", `The server process ${text}.`, { cause, facts: { sent } }));
    resolve();
  };
  // Where the process can't even be made, Node leaves its pipes undefined, and tells on the next turn.
  child.on("error", (cause) => end(`could not be started (${codeOf(cause)})`, cause, false));
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
      if (pauses++ > 0) return;
      child.stdout?.pause();
      spec.log.debug("server.held_up", { server: spec.name, pid: child.pid });
    },
    resume: () => {
      if (--pauses === 0) child.stdout?.resume();
    },
    isHeldUp: () => pauses > 0,
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
