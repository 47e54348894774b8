/**
 * A server with a good identity that knows no hybrid group: TOKEN LISTEN, joins and serves. Writes `is at ADDRESS` when
 * it listens, and `heard BYTES` for what comes in on a link.
 */
import tls from "node:tls";

import { generateKeyPair } from "../../src/crypto/keys.ts";
import { createSigningRequest } from "../../src/crypto/signing-request.ts";
import { resolveProfile } from "../../src/crypto/suites/profiles.ts";
import { credentialsOf } from "../../src/app/credentials.ts";
import { join } from "../../src/host/net/enrol-client.ts";
import { hostAndPort } from "../../src/host/net/listen.ts";
import { readJoinToken } from "../../src/identity/join-token.ts";

const [token = "", listen = ""] = process.argv.slice(2);
const profile = resolveProfile("hybrid");
const key = generateKeyPair(profile.identity);
const identity = await join(readJoinToken(token), createSigningRequest(key), profile);
const { certificate, privateKey } = credentialsOf(key, identity.certificate);
const server = tls.createServer(
  { cert: certificate, key: privateKey, ecdhCurve: "X25519", minVersion: "TLSv1.3" },
  (socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => process.stdout.write(`heard ${bytes.length}\n`));
  },
);
server.on("tlsClientError", () => undefined);
server.listen(hostAndPort(listen), () => process.stdout.write(`is at ${listen}\n`));
