/** Whether an endpoint takes a client that knows no ML-KEM. */
import tls from "node:tls";

const timeoutMs = 5000;

/** "refused" is what every gateway should answer. */
export function classicalVerdict(endpoint: {
  readonly host: string;
  readonly port: number;
}): Promise<string> {
  return new Promise((resolve) => {
    const socket = tls.connect({
      ...endpoint,
      ecdhCurve: "X25519",
      minVersion: "TLSv1.3",
      rejectUnauthorized: false,
      timeout: timeoutMs,
    });
    const settle = (verdict: string): void => {
      socket.destroy();
      resolve(verdict);
    };
    socket.once("secureConnect", () => settle("takes classical key exchange"));
    socket.once("timeout", () => settle("doesn't answer"));
    socket.once("error", (error) => {
      const code = "code" in error ? String(error.code) : error.message;
      settle(code.includes("ALERT_HANDSHAKE_FAILURE") ? "refused" : `fails with ${code}`);
    });
  });
}
