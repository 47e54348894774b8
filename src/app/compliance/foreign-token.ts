/** Whether listeners for access tokens refuse one that nobody who counts has signed. */
import https from "node:https";

import { hostAndPort } from "../../host/net/listen.ts";
import { toBase64url, utf8 } from "../../kernel/bytes.ts";
import type { WebListener } from "../config/listen.ts";
import { failed, passed, skipped, someServer, type TestOutcome, type TestScene } from "./test-scene.ts";

export async function foreignToken({
  config,
  clock,
}: Pick<TestScene, "config" | "clock">): Promise<TestOutcome> {
  const { webListeners, issuers } = config;
  const server = someServer(config);
  if (webListeners.length === 0 || server === undefined) return skipped("no listener takes access tokens");
  const statuses: (number | undefined)[] = [];
  for (const listener of webListeners) {
    const [issuer] = listener.issuers.flatMap((name) => issuers[name]?.issuer ?? []);
    const token = tokenOf({
      issuer,
      audience: `${listener.url}/mcp/${server}`,
      nowUnixMs: clock.nowUnixMs(),
    });
    statuses.push(await statusOf(listener, server, token));
  }
  const told = `status ${statuses.map((status) => status ?? "none").join(", ")}`;
  if (statuses.includes(undefined)) return skipped(`a listener doesn't answer: ${told}`);
  return statuses.every((status) => status === 401) ? passed(told) : failed(told);
}

/** All that it says is right, but its signature. */
function tokenOf({
  issuer,
  audience,
  nowUnixMs,
}: {
  readonly issuer: string | undefined;
  readonly audience: string;
  readonly nowUnixMs: number;
}): string {
  const nowS = Math.floor(nowUnixMs / 1000);
  const claims = {
    iss: issuer,
    aud: audience,
    sub: "assess",
    client_id: "assess",
    iat: nowS,
    exp: nowS + 60,
  };
  const part = (value: object): string => toBase64url(utf8(JSON.stringify(value)));
  return `${part({ alg: "ES256", typ: "at+jwt", kid: "assess" })}.${part(claims)}.${toBase64url(new Uint8Array(64))}`;
}

const body = '{"jsonrpc":"2.0","id":1,"method":"ping"}';

function statusOf({ address, url }: WebListener, server: string, token: string): Promise<number | undefined> {
  const { host, hostname } = new URL(url);
  return new Promise((resolve) => {
    const request = https.request(
      {
        ...hostAndPort(address),
        servername: hostname,
        // Whose certificate it shows isn't what is tried here.
        rejectUnauthorized: false,
        method: "POST",
        path: `/mcp/${server}`,
        headers: {
          host,
          authorization: `Bearer ${token}`,
          "content-type": "application/json",
          accept: "application/json, text/event-stream",
        },
        timeout: 5000,
      },
      (response) => {
        response.resume();
        resolve(response.statusCode);
      },
    );
    request.once("timeout", () => request.destroy());
    request.once("error", () => resolve(undefined));
    request.end(body);
  });
}
