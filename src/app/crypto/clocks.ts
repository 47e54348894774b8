/** Everything of the cryptography in use that ends at some time, the first to end first. */
import type { Config } from "../config.ts";
import type { ClockAnswer } from "./crypto-answers.ts";
import type { StatusDocument } from "./status-document.ts";

export function clocksIn(status: StatusDocument, { crypto }: Pick<Config, "crypto">): readonly ClockAnswer[] {
  const all = [
    ...(status.own_certificates ?? []).map(ownClock),
    ...status.roots.map((root) => rootClock(root, crypto.rotation.roots)),
    ...status.certificates.map(issuedClock),
    ...restOf(status),
  ];
  const endOf = ({ until }: ClockAnswer): string => until ?? "9999";
  return all.toSorted((a, b) => (endOf(a) < endOf(b) ? -1 : endOf(a) > endOf(b) ? 1 : 0));
}

function ownClock({
  used,
  algorithm,
  classical,
  not_after: until,
}: NonNullable<StatusDocument["own_certificates"]>[number]): ClockAnswer {
  return {
    kind: "own",
    who: "this gateway",
    what: used,
    algorithm: [algorithm, ...(classical === null ? [] : [classical])].join(" + "),
    until,
    renewal: "the gateway renews it before it ends",
  };
}

function rootClock(
  { purpose, kind, generation, algorithm, state, until }: StatusDocument["roots"][number],
  rotation: number | "off",
): ClockAnswer {
  const name = kind === "classical" ? `${purpose}, classical` : `${purpose}, generation ${generation ?? 0}`;
  const isRotated = kind === "main" && rotation !== "off";
  return {
    kind: "root",
    who: name,
    what: state,
    algorithm,
    until,
    renewal: isRotated
      ? "the gateway follows it with the next one by its schedule (crypto.rotation.roots)"
      : "nothing renews it by itself: latticegate ca roots",
  };
}

function issuedClock({
  holder,
  purpose,
  algorithm,
  certificates,
  until,
}: StatusDocument["certificates"][number]): ClockAnswer {
  return {
    kind: "issued",
    who: holder,
    what: certificates === 1 ? purpose : `${purpose}, ${certificates} certificates`,
    algorithm,
    until,
    renewal: "its holder renews it while it runs",
  };
}

function restOf({ join_tokens: tokens, delegations, manifests }: StatusDocument): readonly ClockAnswer[] {
  return [
    ...tokens.map((token) => ({
      kind: "join token" as const,
      who: token.for,
      what: "lets it join, once",
      algorithm: null,
      until: token.until,
      renewal: "nothing: a new one is made with latticegate ca token",
    })),
    ...delegations.map(({ from, to, until }) => ({
      kind: "delegation" as const,
      who: from,
      what: `lets ${to} call on its behalf`,
      algorithm: null,
      until,
      renewal: "whoever delegated delegates anew",
    })),
    ...manifests.map(({ server, publisher, algorithms, until }) => ({
      kind: "manifest" as const,
      who: server,
      what: `its tools, signed by ${publisher}`,
      algorithm: algorithms.join(" + "),
      until,
      renewal: "its publisher signs it anew: latticegate tools sign",
    })),
  ];
}
