/** What the doctor and `status` say of the bundle that policies come in. */
import { existsSync } from "node:fs";

import type { BundleStore } from "../../host/store/state-bundles.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { printable } from "../../kernel/printable.ts";
import type { Config } from "../config.ts";
import { placeText } from "../config/policies.ts";
import type { Examination, Finding } from "../doctor.ts";
import { statePaths } from "../state-folder.ts";
import { withBundles } from "./bundle-operations.ts";
import { keptRules } from "./judge-bundle.ts";

const what = "policies";

/** None where policies don't come in a bundle. */
export function bundleFindings({ config, clock }: Examination): readonly Finding[] {
  const { policyBundle } = config;
  if (policyBundle === undefined || !existsSync(statePaths(config.state).database)) return [];
  return withBundles(config, (store) => [
    inForce(store, config, clock.nowUnixMs()),
    ...troubles(store, placeText(policyBundle.place)),
  ]);
}

function inForce(store: BundleStore, config: Config, nowUnixMs: number): Finding {
  const row = store.newest();
  const publishers = config.policyBundle?.publishers ?? [];
  if (row === undefined) {
    const trouble = store.trouble();
    return {
      level: "wrong",
      what,
      text: `no bundle is in force, so every call is denied${trouble === undefined ? "" : `: ${trouble.text}`}`,
      remedy: "see to it that policies.bundle.from leads to a bundle of one of its publishers",
    };
  }
  try {
    keptRules(store, { publishers, config });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return {
      level: "wrong",
      what,
      text: `the bundle ${row.sequence} can't be in force: ${error.message} A gateway that starts now denies every call.`,
      remedy: "publish one that can, or mend the config",
    };
  }
  const about = `bundle ${row.sequence} of ${printable(row.publisher, 256)}, ${row.what} ${new Date(row.atUnixMs).toISOString()}`;
  if (row.expiresAtUnixMs > nowUnixMs) return { level: "ok", what, text: about };
  return {
    level: "warn",
    what,
    text: `${about}; it ended on ${new Date(row.expiresAtUnixMs).toISOString()} and stays in force here`,
    remedy: "have it signed anew with a higher sequence: gateways without it don't take it up any more",
  };
}

function troubles(store: BundleStore, place: string): readonly Finding[] {
  const trouble = store.trouble();
  if (trouble === undefined || store.newest() === undefined) return [];
  const since = new Date(trouble.sinceUnixMs).toISOString();
  return [
    {
      level: "wrong",
      what,
      text: `what ${place} has isn't taken up since ${since}: ${trouble.text}`,
      remedy: 'the bundle before stays in force; "latticegate policy bundle history" has all of them',
    },
  ];
}
