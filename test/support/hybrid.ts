/** Sidecars of a test's gateway, and what they have of two identities. */
import { readFile, writeFile } from "node:fs/promises";
import type { TestContext } from "node:test";

import { makeJoinToken } from "../../src/app/certificate-authority.ts";
import { type ConnectOptions, openTunnel, type Tunnel } from "../../src/app/connect.ts";
import { statePaths } from "../../src/app/state-folder.ts";
import { collected } from "../../src/host/net/http-exchange.ts";
import { systemClock, systemLog } from "../../src/host/system.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { atEnd } from "./cleanup.ts";
import { freshState, spoken, type TestGateway, toolCall } from "./gateway.ts";
import { checkLog } from "./records.ts";

const silent = systemLog({ level: "error", form: "json", write: () => undefined });
/** For a server's config: its links prove both. */
export const hybrid = "link: { authentication: hybrid-mtls }";
/** The sidecars' identity, if none is named. */
export const agent = { spiffeId: "spiffe://latticegate.local/agent/test", purpose: "client" } as const;

interface SidecarChoices {
  readonly name?: string;
  readonly clock?: Clock;
}

export async function sidecar(
  t: TestContext,
  gateway: TestGateway,
  target: string,
  { name = "agent/test", clock = systemClock }: SidecarChoices = {},
): Promise<ConnectOptions> {
  const joinToken = await makeJoinToken(gateway.config, { path: name, address: gateway.address }, clock);
  const state = await freshState(t);
  return { target, state, joinToken, clock, log: silent, patienceMs: 0, links: { http: spoken() } };
}

export async function tunnelOf(t: TestContext, options: ConnectOptions): Promise<Tunnel> {
  const tunnel = await openTunnel(options);
  atEnd(t, tunnel.close);
  return tunnel;
}

export async function call(
  tunnel: Tunnel,
  message: unknown = toolCall("echo"),
  more: readonly string[] = [],
): Promise<{ readonly status: number; readonly headers: readonly string[]; readonly text: string }> {
  const accept = "application/json, text/event-stream";
  const headers = ["content-type", "application/json", "accept", accept, ...more];
  const body = Buffer.from(JSON.stringify(message));
  const answer = await collected(await tunnel.send({ method: "POST", headers, body }));
  const chunks = answer.kind === "whole" ? [answer.body] : await Array.fromAsync(answer.chunks);
  return { status: answer.status, headers: answer.headers, text: Buffer.concat(chunks).toString() };
}

/** The stored identity of a sidecar, changed. */
export async function editIdentity(
  { state }: ConnectOptions,
  change: (identity: Record<string, unknown>) => Record<string, unknown>,
): Promise<Record<string, unknown>> {
  const file = statePaths(state).identity;
  const identity = change(JSON.parse(await readFile(file, "utf8")) as Record<string, unknown>);
  await writeFile(file, JSON.stringify(identity));
  return identity;
}

export const withoutClassical = ({
  classical: _classical,
  ...rest
}: Record<string, unknown>): Record<string, unknown> => rest;

export async function linkAuths(gateway: TestGateway): Promise<readonly (string | undefined)[]> {
  const decisions = (await checkLog(gateway)).filter(({ event }) => event === "call.decision");
  return decisions.map(({ facts }) => facts["link.auth"]);
}
