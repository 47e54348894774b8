/** The authority of a gateway under test, with its keys: for certificates that it would never issue. */
import { loadAuthority } from "../../src/app/roots.ts";
import { openAuthorityRoots, openKeys } from "../../src/app/state-folder.ts";
import type { Authority } from "../../src/identity/authority.ts";
import type { TestGateway } from "./gateway.ts";

export async function authorityOf({
  config,
  clock,
}: Pick<TestGateway, "config" | "clock">): Promise<Authority> {
  const { state, trust_domain: trustDomain, profile } = config;
  const keys = await openKeys(state, undefined);
  const roots = await openAuthorityRoots(state, keys, { trustDomain, suite: profile.identity.id, clock });
  try {
    return await loadAuthority(trustDomain, keys, roots.roots());
  } finally {
    roots.close();
  }
}
