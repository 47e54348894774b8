/** For `node --import`: `latticegate/…` is this repository's own source, as it would be the installed package. */
import { registerHooks } from "node:module";

registerHooks({
  resolve: (specifier, context, next) => {
    const entry = /^latticegate\/([a-z]+)$/.exec(specifier)?.[1];
    return entry === undefined
      ? next(specifier, context)
      : { url: new URL(`../../src/public/${entry}.ts`, import.meta.url).href, shortCircuit: true };
  },
});
