/** `latticegate crypto status` */
import { pathInWords } from "../model/peer-path.ts";
import { loadConfig } from "../app/config.ts";
import { cryptoFacts } from "../app/crypto/crypto-facts.ts";
import { type StatusDocument, statusDocument } from "../app/crypto/status-document.ts";
import { systemClock } from "../host/system.ts";
import { type Command, configFile, configOption } from "./command.ts";
import { counted, type Row, section } from "./table.ts";

export const cryptoStatus = {
  options: {
    ...configOption,
    verbose: { type: "boolean", help: "Each link and each holder, instead of how many there are." },
    json: { type: "boolean", help: "Print it as docs/formats/crypto-status.md has it." },
  },
  run: async (call) => {
    const status = statusDocument(await cryptoFacts(loadConfig(configFile(call)), systemClock));
    if (call.flag("json")) call.out(JSON.stringify(status, null, 2));
    else for (const line of statusText(status, call.flag("verbose"))) call.out(line);
    return 0;
  },
} as const satisfies Command;

export function statusText(status: StatusDocument, isVerbose: boolean): readonly string[] {
  const parts = [
    section(
      "Weak spots",
      status.weak_spots.map(({ level, where, why }) => [level, where, why]),
      "none found",
    ),
    ...liveText(status, isVerbose),
    section(
      "Roots",
      status.roots.map(({ purpose, kind, generation, algorithm, state, until }) => [
        `${purpose}${kind === "classical" ? ", classical" : ` ${generation}`}`,
        algorithm,
        state,
        until === null ? "" : `until ${until.slice(0, 10)}`,
      ]),
    ),
    certificatesText(status, isVerbose),
    section(
      "Join tokens",
      status.join_tokens.map((token) => [token.for, `until ${token.until}`]),
    ),
    section(
      "Log",
      status.log_keys.map(({ algorithm, key_id: keyId }) => [algorithm, `key ${keyId}`]),
      "no keys yet",
    ),
    delegationsText(status),
    section(
      "Manifests",
      status.manifests.map(({ server, algorithms, until }) => [
        server,
        algorithms.join(" + "),
        `until ${until.slice(0, 10)}`,
      ]),
      "none signed",
    ),
  ];
  return [...headText(status), ...parts.filter((part) => part.length > 0).flatMap((part) => ["", ...part])];
}

function headText({ gateway, profile }: StatusDocument): readonly string[] {
  const since = profile.since === null ? "" : ` since ${profile.since}`;
  const outgoing = profile.outgoing.map(
    ({ profile: { name }, until }) => `          ${name} is still taken, until ${until}`,
  );
  const lines = [
    `Profile   ${profile.profile.name}${since}; the config names ${profile.configured}`,
    ...outgoing,
  ];
  if (gateway.state === "running") {
    return [...lines, `Gateway   runs at ${gateway.listen} since ${gateway.started}`];
  }
  const why = gateway.state === "silent" ? `runs, but ${gateway.why}` : "doesn't run";
  return [...lines, `Gateway   ${why}; listeners, links, servers and issuers aren't known`];
}

function liveText(status: StatusDocument, isVerbose: boolean): readonly (readonly string[])[] {
  const { listeners, links, own_certificates: own, servers, issuers } = status;
  if (listeners === null || links === null || own === null || servers === null || issuers === null) return [];
  return [
    section(
      "Listeners",
      listeners.map(({ name, address, authentication, groups, newcomers, certificates, classical }) => [
        name === address ? name : `${name} at ${address}`,
        authentication,
        `takes ${groups.join(" ")}${newcomers.length === 0 ? "" : `, of newcomers also ${newcomers.join(" ")}`}`,
        `shows ${[...certificates, ...classical].join(" + ")}`,
      ]),
    ),
    linksText(links, isVerbose),
    section(
      "Own certificates",
      own.map(({ used, algorithm, classical, not_after: until }) => [
        used,
        [algorithm, ...(classical === null ? [] : [classical])].join(" + "),
        `until ${until}`,
      ]),
    ),
    section("Servers", servers.map(serverRow), "none"),
    section(
      "Rendezvous",
      (status.rendezvous ?? []).map(({ rendezvous, address, seen }) => [
        rendezvous,
        address,
        seen === null ? "not there" : `sees us at ${seen}`,
      ]),
    ),
    section(
      "Issuers",
      issuers.map(({ name, issuer, last_token: last }) => [
        name,
        issuer,
        last === null ? "no token yet" : `${last.algorithm ?? "no JWT, asked about"}, last at ${last.at}`,
      ]),
    ),
  ];
}

type Known<Part extends keyof StatusDocument> = NonNullable<StatusDocument[Part]>;

function linksText(links: Known<"links">, isVerbose: boolean): readonly string[] {
  const kind = (link: Known<"links">[number]): Row => [
    link.group,
    [link.certificate ?? "no certificate of ours", ...(link.classical === null ? [] : [link.classical])].join(
      " + ",
    ),
    link.for,
    `at ${link.listener}${link.path === null ? "" : `, ${link.path.kind}`}`,
  ];
  if (!isVerbose) return section("Links", counted(links.map(kind)), "none open");
  const rows = links.map((link) => [
    link.remote,
    ...kind(link),
    link.callers.join(" ") || "nobody proven yet",
  ]);
  return section("Links", rows, "none open");
}

function serverRow({ name, how, target, peer, negotiated, path }: Known<"servers">[number]): Row {
  if (how === "stdio") return [name, "stdio", `${target}, a process of this gateway`];
  if (how === "http" || how === "forward") return [name, `plain http, not encrypted`, target];
  const where = peer === null ? target : `${target}, ${peer}`;
  if (negotiated === null) return [name, "not reached yet", where];
  const { version, group, server_key: key, at } = negotiated;
  return [
    name,
    [version, group ?? "group not told", key ?? "key not told"].join(" "),
    where,
    `last link at ${at}${path === null ? "" : `, ${pathInWords(path)}`}`,
  ];
}

function certificatesText({ certificates }: StatusDocument, isVerbose: boolean): readonly string[] {
  const name = (algorithm: string | null): string => algorithm ?? "algorithm not written down";
  if (isVerbose) {
    const rows = certificates.map(({ holder, purpose, algorithm, until }) => [
      holder,
      purpose,
      name(algorithm),
      `until ${until}`,
    ]);
    return section("Certificates given out", rows, "none that count");
  }
  const rows = counted(certificates.map(({ purpose, algorithm }) => [purpose, name(algorithm)]));
  return section(
    "Certificates given out",
    rows.map(([count = "", ...row]) => [`${count} holder${count === "1" ? "" : "s"}`, ...row]),
    "none that count",
  );
}

function delegationsText({ delegation_keys: keys, delegations }: StatusDocument): readonly string[] {
  const rows = keys.map((algorithm) => ["key", algorithm]);
  const given = delegations.map(({ from, to, until }) => [from, `→ ${to}`, `until ${until}`]);
  return section("Delegations", [...rows, ...given]);
}
