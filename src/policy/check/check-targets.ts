/** Whom and what a rule names: servers and tools that aren't there, callers that can't be. */
import { nearest } from "../../kernel/nearest.ts";
import { isDenying } from "../rule-index.ts";
import { namePattern, serverPattern, targetMatcher } from "../patterns.ts";
import { targetKindNames } from "../rules.ts";
import { sideMethods } from "../side-methods.ts";
import type { CheckedRule } from "./checked-rule.ts";
import { listed, type Remark } from "./finding.ts";
import type { Known } from "./known.ts";
import { overlaps } from "./overlap.ts";

export function checkTargets({ document, rule }: CheckedRule, known: Known): readonly Remark[] {
  return targetKindNames.flatMap((kind) =>
    (document[kind] ?? []).flatMap((target, index) => {
      const at = [kind, index] as const;
      const server = serverRemark(target, at, known);
      if (server !== undefined) return [server];
      const tool = kind === "tools" ? toolRemark(target, at, known) : undefined;
      // What is denied before it is there is no slip.
      return tool === undefined || (tool.kind === "no-tool-matches" && isDenying(rule)) ? [] : [tool];
    }),
  );
}

/** Methods beside calls: of servers that are there, and of those that can be named. */
export function checkMethods({ document: { methods = [] } }: CheckedRule, known: Known): readonly Remark[] {
  return methods.flatMap((target, index) => {
    const at = ["methods", index] as const;
    const server = serverRemark(target, at, known);
    if (server !== undefined) return [server];
    const pattern = namePattern(target);
    if (sideMethods.some((method) => overlaps(pattern, method))) return [];
    const meant = nearest(pattern, sideMethods);
    return [
      {
        kind: "unknown-method",
        at,
        wrong: `Rules can't name the method "${pattern}"; they can name ${listed(sideMethods, sideMethods.length)}.`,
        mend:
          meant === undefined
            ? "Name calls by their tools, resources and prompts."
            : `Write ${serverPattern(target)}/${meant} instead.`,
      },
    ];
  });
}

function serverRemark(target: string, at: Remark["at"], known: Known): Remark | undefined {
  const { servers, virtualServers = [] } = known;
  const pattern = serverPattern(target);
  if (virtualServers.includes(pattern)) {
    return {
      kind: "virtual-server",
      at,
      wrong: `It names the virtual server "${pattern}", which no rule is about.`,
      mend: "Name the servers that it joins.",
    };
  }
  if (servers === undefined || servers.some((server) => overlaps(pattern, server))) return undefined;
  if (pattern === "*") return undefined;
  const meant = nearest(pattern, servers);
  const there = servers.length === 0 ? "none is configured" : `there are ${listed(servers)}`;
  return {
    kind: "unknown-server",
    at,
    wrong: `There is no server ${pattern.includes("*") ? "like " : ""}"${pattern}"; ${there}.`,
    mend:
      meant === undefined
        ? "Name one that is there, or add it under `servers` in the config."
        : `Write ${meant}/${namePattern(target)} instead.`,
  };
}

function toolRemark(target: string, at: Remark["at"], { tools }: Known): Remark | undefined {
  const [pattern, name] = [serverPattern(target), namePattern(target)];
  const matches = targetMatcher([target]);
  const asked = [...tools].filter(([server]) => overlaps(pattern, server));
  if (pattern.includes("*") || asked.length === 0) return undefined;
  const names = asked.flatMap(([server, named]) => [...named.keys()].map((tool) => ({ server, tool })));
  if (names.some(({ server, tool }) => matches(server, tool))) return undefined;
  const all = names.map(({ tool }) => tool);
  const there = all.length === 0 ? "it has none" : `it has ${listed(all)}`;
  if (name.includes("*")) {
    return {
      kind: "no-tool-matches",
      at,
      wrong: `No tool of "${pattern}" is like "${name}"; ${there}.`,
      mend: "Name tools that are there, or take the target out.",
    };
  }
  const meant = nearest(name, all);
  return {
    kind: "unknown-tool",
    at,
    wrong: `"${pattern}" has no tool "${name}"; ${there}.`,
    mend:
      meant === undefined
        ? `Name one that is there; "latticegate tools list ${pattern}" has them.`
        : `Write ${pattern}/${meant} instead.`,
  };
}

/** Callers, and those on whose behalf. */
export function checkCallers({ document }: CheckedRule, known: Known): readonly Remark[] {
  const lists = [
    [["callers"], document.callers],
    [["on_behalf_of"], document.on_behalf_of ?? []],
  ] as const;
  return lists.flatMap(([member, patterns]) =>
    patterns.flatMap((pattern, index) => {
      const remark = callerRemark(pattern, known);
      return remark === undefined ? [] : [{ ...remark, at: [...member, index] }];
    }),
  );
}

type CallerRemark = Omit<Remark, "at"> | undefined;

function callerRemark(pattern: string, known: Known): CallerRemark {
  if (overlaps(pattern, "spiffe://*/*")) return workloadRemark(pattern, known);
  if (overlaps(pattern, "oauth:*/*")) return clientRemark(pattern, known);
  return {
    kind: "impossible-caller",
    wrong: `No caller is named like "${pattern}".`,
    mend: `Write a SPIFFE ID such as spiffe://${known.trustDomain ?? "acme.test"}/${pattern.replace(/^\/+/, "")}, or oauth:ISSUER/client/CLIENT.`,
  };
}

function workloadRemark(pattern: string, { trustDomain }: Known): CallerRemark {
  if (trustDomain === undefined || overlaps(pattern, `spiffe://${trustDomain}/*`)) return undefined;
  if (overlaps(pattern, "oauth:*/*")) return undefined;
  return {
    kind: "foreign-trust-domain",
    wrong: `"${pattern}" is outside of the trust domain ${trustDomain}, whose identities are all that get in.`,
    mend: `Write ${pattern.replace(/^spiffe:\/\/[^/]*/, `spiffe://${trustDomain}`)} instead.`,
  };
}

function clientRemark(pattern: string, { issuers }: Known): CallerRemark {
  const kinds = ["client", "user"].filter((kind) => overlaps(pattern, `oauth:*/${kind}/*`));
  if (kinds.length === 0) {
    return {
      kind: "impossible-caller",
      wrong: `No caller is named like "${pattern}".`,
      mend: "Write oauth:ISSUER/client/CLIENT, or oauth:ISSUER/user/SUBJECT for people.",
    };
  }
  if (issuers === undefined || issuers.some((issuer) => overlaps(pattern, `oauth:${issuer}/*`)))
    return undefined;
  const issuer = /^oauth:([^/]*)/.exec(pattern)?.[1] ?? "";
  if (issuer.includes("*")) return undefined;
  const meant = nearest(issuer, issuers);
  return {
    kind: "unknown-issuer",
    wrong: `There is no issuer "${issuer}"; ${issuers.length === 0 ? "none is configured" : `there are ${listed(issuers)}`}.`,
    mend:
      meant === undefined
        ? "Add it under `issuers` in the config, or name one that is there."
        : `Write ${pattern.replace(issuer, meant)} instead.`,
  };
}
