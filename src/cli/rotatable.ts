/** What `latticegate crypto rotate` makes new keys for: one sentence each. */
export const rotatable = {
  log: "The keys that sign the audit log: a new generation at once, the old one signs nothing more.",
  ca: "The roots, or one of them with --for: as `ca rotate`.",
  tls: "The keys of the gateway's and the sidecars' certificates, with their next ones, which they take at once.",
  manifest: "The keys with which `tools sign` signs manifests of this gateway's servers.",
  model: "The keys with which `detect sign` signs models.",
  policy: "The keys with which `policy bundle make` signs bundles.",
} as const satisfies Readonly<Record<string, string>>;

export type Rotatable = keyof typeof rotatable;
