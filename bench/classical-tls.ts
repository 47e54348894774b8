/** `classical-tls.ts PORT CERT KEY`: a TLS 1.3 server as most are today: X25519, ECDSA P-256, mutual. */
import { readFileSync } from "node:fs";
import tls from "node:tls";

const [port, cert = "", key = ""] = process.argv.slice(2);
tls
  .createServer(
    {
      cert: readFileSync(cert),
      key: readFileSync(key),
      ca: readFileSync(cert),
      requestCert: true,
      minVersion: "TLSv1.3",
      ecdhCurve: "X25519",
    },
    (socket) => socket.on("error", () => socket.destroy()),
  )
  .listen(Number(port), "127.0.0.1", () => console.log("ready"));
