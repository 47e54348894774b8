import { fileURLToPath } from "node:url";

import { defineConfig } from "vite";

/** Receipts are verified in the browser by the product's own code. */
const cryptoForBrowsers = fileURLToPath(new URL("src/verifier/node-crypto.ts", import.meta.url));

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  resolve: { alias: { "node:crypto": cryptoForBrowsers } },
  worker: { format: "es" },
  // No inlined assets: the page's Content-Security-Policy allows files of its own only.
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
