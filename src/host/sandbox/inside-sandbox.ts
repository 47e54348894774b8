/**
 * The first program in a sandbox: offers the proxy, which is a Unix socket, at a loopback port of the sandbox's own,
 * then runs the server with this process's stdin, stdout and stderr, and ends as it ends.
 * Run alone by the node of the sidecar, so it imports nothing of the product: SOCKET PORT -- COMMAND …, or with
 * `--check` and paths instead of `--`, which says as JSON what can be seen from in here.
 */
import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import net from "node:net";
import os from "node:os";

const [socketPath = "", port = "", mode, ...rest] = process.argv.slice(2);
/** The proxy itself takes no more. */
const maxConnections = 256;

const forwarder = net.createServer({ allowHalfOpen: true }, (local) => {
  const out = net.connect({ path: socketPath, allowHalfOpen: true });
  const end = (): void => {
    local.destroy();
    out.destroy();
  };
  local.on("error", end).on("close", end);
  out.on("error", end).on("close", end);
  local.pipe(out).pipe(local);
});
forwarder.maxConnections = maxConnections;
forwarder.once("error", (error) => fail(126, `the way out can't be offered: ${error.message}`));
forwarder.listen(Number(port), "127.0.0.1", () => {
  if (mode === "--check") check();
  else run(rest);
});

function run([program = "", ...args]: readonly string[]): void {
  const child = spawn(program, args, { stdio: "inherit" });
  child.once("error", (error) => fail(127, `${program} can't be started in here: ${error.message}`));
  child.once("exit", (code, signal) =>
    process.exit(code ?? 128 + (os.constants.signals[signal ?? "SIGKILL"] ?? 9)),
  );
}

function check(): void {
  const interfaces = Object.entries(os.networkInterfaces());
  const outward = interfaces.filter(([, addresses = []]) => addresses.some(({ internal }) => !internal));
  const readable = rest.filter((file) => {
    try {
      accessSync(file, constants.R_OK);
      return true;
    } catch {
      return false;
    }
  });
  const proxy = net.connect({ path: socketPath });
  const tell = (reachesProxy: boolean): void => {
    process.stdout.write(
      `${JSON.stringify({ outward: outward.map(([name]) => name), readable, reachesProxy })}\n`,
      () => process.exit(0),
    );
  };
  proxy.once("connect", () => tell(true)).once("error", () => tell(false));
}

function fail(code: number, text: string): void {
  process.stderr.write(`sandbox: ${text}\n`, () => process.exit(code));
}
