import { defineConfig } from "vite";

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  // No inlined assets: the page's Content-Security-Policy allows files of its own only.
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false } },
});
