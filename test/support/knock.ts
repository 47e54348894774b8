/** A TLS client that knocks with any offer, asks one thing if it is let in, and says how that went. */
import net from "node:net";
import tls from "node:tls";

export type Knocked =
  | { readonly kind: "answered"; readonly status: number }
  /** RFC 8446 §6. */
  | { readonly kind: "alert"; readonly alert: number }
  /** The link was closed without a word; or the client itself gave up. */
  | { readonly kind: "cut"; readonly reason: string };

/** One POST of a tool call to `path`. */
export function knock(
  options: tls.ConnectionOptions,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Knocked> {
  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read","arguments":{}}}';
  const head = Object.entries({
    host: "mcp.acme.test",
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "content-length": String(body.length),
    ...headers,
  });
  const lines = head.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  return new Promise((resolve) => {
    const link = tls.connect(options);
    const settle = (how: Knocked): void => {
      resolve(how);
      link.destroy();
    };
    link.once("secureConnect", () => link.write(`POST ${path} HTTP/1.1\r\n${lines}\r\n${body}`));
    link.once("data", (bytes: Buffer) =>
      settle({ kind: "answered", status: Number(bytes.toString().slice(9, 12)) }),
    );
    link.once("error", (error) => {
      const alert = /alert number (\d+)/.exec(error.message)?.[1];
      if (alert !== undefined) settle({ kind: "alert", alert: Number(alert) });
      else settle({ kind: "cut", reason: "code" in error ? String(error.code) : error.message });
    });
    link.once("close", () => settle({ kind: "cut", reason: "closed" }));
  });
}

/** Sends a hello as it is, and reads the alert. */
export function knockWithHello(to: net.TcpNetConnectOpts, hello: Buffer): Promise<Knocked> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = net.connect(to, () => socket.write(hello));
    socket.on("data", (chunk: Buffer) => chunks.push(chunk));
    socket.on("error", () => undefined);
    socket.on("close", () => {
      const [type, , , , , , alert] = Buffer.concat(chunks);
      resolve(
        type === 21 && alert !== undefined ? { kind: "alert", alert } : { kind: "cut", reason: "closed" },
      );
    });
  });
}
