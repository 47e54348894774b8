/**
 * A server in namespaces of its own (bubblewrap): no network but a loopback, no processes but its own, of the file
 * system the system's programs and what the operator names, and one socket that leads to the sidecar's proxy.
 */
import { existsSync, lstatSync, readlinkSync } from "node:fs";
import path from "node:path";

import type { ChildSpec } from "../stdio/child.ts";

export interface SandboxPlan {
  /** The program bwrap, by its absolute path. */
  readonly bwrap: string;
  /** It can forbid namespaces within the sandbox and bound its file systems: bubblewrap 0.8 or later. */
  readonly isModern: boolean;
  /** Real, absolute paths the server may read; those it may write; and what stays hidden within them. */
  readonly readable: readonly string[];
  readonly writable: readonly string[];
  readonly hidden: string;
  /** The proxy's socket, outside. */
  readonly socket: string;
  /** A file with the filter of system calls; absent where there is none for this machine. */
  readonly filter?: string | undefined;
}

const inside = {
  home: "/home/server",
  folder: "/run/latticegate",
  node: "/run/latticegate/node",
  program: `/run/latticegate/inside-sandbox.m${path.extname(import.meta.filename).slice(1)}`,
  socket: "/run/latticegate/egress.sock",
  /** The sandbox has all ports for itself. */
  port: "3128",
} as const;

/** The sidecar's own node, as the server sees it. */
export const nodeInside = inside.node;

/** Each of /tmp and the home folder, which are memory: 512 MiB. */
const maxPrivateBytes = String(512 * 1024 ** 2);

/** Programs and what they are linked with: for everybody to read on any machine, and no place for secrets. */
const systemFolders = ["/usr", "/nix/store", "/gnu/store"];
const systemLinks = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
const systemSettings = [
  "alternatives",
  "ca-certificates",
  "ca-certificates.conf",
  "crypto-policies",
  "fonts",
  "group",
  "ld.so.cache",
  "ld.so.conf",
  "ld.so.conf.d",
  "localtime",
  "mime.types",
  "nsswitch.conf",
  "os-release",
  "passwd",
  "pki/ca-trust",
  "pki/tls/certs",
  "pki/tls/cert.pem",
  "protocols",
  "services",
  "ssl/cert.pem",
  "ssl/certs",
  "ssl/openssl.cnf",
  "timezone",
].map((name) => `/etc/${name}`);

/** Whether the server sees a path, which is real and absolute. */
export function isShown(file: string, plan: Pick<SandboxPlan, "readable" | "writable" | "hidden">): boolean {
  if (isWithin(file, plan.hidden)) return false;
  return [...systemFolders, ...systemLinks, ...systemSettings, ...plan.readable, ...plan.writable].some(
    (shown) => isWithin(file, shown),
  );
}

export function isWithin(inner: string, outer: string): boolean {
  const relative = path.relative(outer, inner);
  return (
    relative === "" ||
    (!relative.startsWith(`..${path.sep}`) && relative !== ".." && !path.isAbsolute(relative))
  );
}

/** The same process, in the sandbox: nothing else of its description changes. */
export function contained(child: ChildSpec, plan: SandboxPlan): ChildSpec {
  const folder = child.cwd !== undefined && isShown(child.cwd, plan) ? child.cwd : inside.home;
  return {
    ...child,
    command: [...entering(plan, folder), ...runInside("--", child.command)],
    env: { ...child.env, ...environment },
  };
}

/** A command that says, from inside, what can be seen there of these paths. */
export function checkCommand(plan: SandboxPlan, paths: readonly string[]): readonly [string, ...string[]] {
  return [...entering(plan, inside.home), ...runInside("--check", paths)];
}

/** Bubblewrap wants the filter as an open file: the shell opens it, and is bubblewrap then. */
function entering(plan: SandboxPlan, folder: string): readonly [string, ...string[]] {
  const [program, ...args] = [plan.bwrap, ...bubblewrapArguments(plan, folder)] as const;
  if (plan.filter === undefined) return [program, ...args];
  return ["/bin/sh", "-c", 'exec 3<"$0" && exec "$@"', plan.filter, program, "--seccomp", "3", ...args];
}

function runInside(mode: "--" | "--check", rest: readonly string[]): readonly string[] {
  return ["--", inside.node, inside.program, inside.socket, inside.port, mode, ...rest];
}

/** Programs that know nothing of proxies reach nothing: there is no other way. */
const proxy = `http://127.0.0.1:${inside.port}`;
const local = "localhost,127.0.0.1,::1";
const environment: Readonly<Record<string, string>> = {
  HOME: inside.home,
  TMPDIR: "/tmp",
  HTTP_PROXY: proxy,
  HTTPS_PROXY: proxy,
  ALL_PROXY: proxy,
  NO_PROXY: local,
  http_proxy: proxy,
  https_proxy: proxy,
  all_proxy: proxy,
  no_proxy: local,
  NODE_USE_ENV_PROXY: "1",
};

/** All there are, and nothing left to get out of them with. */
export function namespaces({ isModern }: Pick<SandboxPlan, "isModern">): readonly string[] {
  return [
    ["--unshare-all", "--unshare-user", ...(isModern ? ["--disable-userns"] : [])],
    ["--new-session", "--die-with-parent", "--cap-drop", "ALL", "--hostname", "sandbox"],
  ].flat();
}

function bubblewrapArguments(plan: SandboxPlan, folder: string): readonly string[] {
  const program = path.join(import.meta.dirname, `inside-sandbox${path.extname(import.meta.filename)}`);
  const size = plan.isModern ? ["--size", maxPrivateBytes] : [];
  return [
    namespaces(plan),
    ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/run"],
    ["/tmp", inside.home].flatMap((each) => [...size, "--tmpfs", each]),
    systemFolders.filter((each) => existsSync(each)).flatMap((each) => ["--ro-bind", each, each]),
    systemLinks.flatMap(systemLink),
    systemSettings.flatMap((each) => ["--ro-bind-try", each, each]),
    shown(plan.readable, "--ro-bind"),
    shown(plan.writable, "--bind"),
    // INVARIANT: the state folder is covered after all that may hold it is shown.
    isHeldByShown(plan) ? ["--tmpfs", plan.hidden, "--remount-ro", plan.hidden] : [],
    ["--ro-bind", process.execPath, inside.node, "--ro-bind", program, inside.program],
    ["--ro-bind", plan.socket, inside.socket, "--remount-ro", "/run", "--remount-ro", "/"],
    ["--chdir", folder],
  ].flat();
}

/** Shorter paths come first, so that what is within them is shown as it was asked for. */
function shown(paths: readonly string[], how: "--ro-bind" | "--bind"): readonly string[] {
  return paths.toSorted((a, b) => a.length - b.length).flatMap((each) => [how, each, each]);
}

function isHeldByShown({ readable, writable, hidden }: SandboxPlan): boolean {
  return [...systemFolders, ...systemLinks, ...readable, ...writable].some((each) => isWithin(hidden, each));
}

/** Where `/bin` is a link to `usr/bin`, it is one inside, too. */
function systemLink(file: string): readonly string[] {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found === undefined) return [];
  return found.isSymbolicLink() ? ["--symlink", readlinkSync(file), file] : ["--ro-bind", file, file];
}
