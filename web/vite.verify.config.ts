/** Builds verify.html: one file that needs no other, with a policy that lets nothing in or out. */
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";

import { defineConfig, type Plugin } from "vite";

const cryptoForBrowsers = fileURLToPath(new URL("src/verifier/node-crypto.ts", import.meta.url));

export default defineConfig({
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  resolve: { alias: { "node:crypto": cryptoForBrowsers } },
  build: {
    emptyOutDir: false,
    copyPublicDir: false,
    modulePreload: { polyfill: false },
    rollupOptions: { input: fileURLToPath(new URL("verify.html", import.meta.url)) },
  },
  plugins: [oneFile()],
});

function oneFile(): Plugin {
  return {
    name: "one-file",
    enforce: "post",
    generateBundle: (_, bundle) => {
      const page = bundle["verify.html"];
      if (page?.type !== "asset") throw new Error("there is no verify.html");
      const [scripts, styles]: [string[], string[]] = [[], []];
      for (const [name, part] of Object.entries(bundle)) {
        if (part === page) continue;
        if (part.type === "chunk") scripts.push(part.code);
        else styles.push(String(part.source));
        delete bundle[name];
      }
      const [script, ...more] = scripts;
      if (script === undefined || more.length > 0 || styles.length !== 1)
        throw new Error("one script and one style were expected");
      page.source = inlined(String(page.source), script, styles[0] ?? "");
    },
  };
}

function inlined(html: string, code: string, style: string): string {
  // Nothing in a script may end it.
  const script = code.replaceAll(/<(?=\/script|!--)/gi, String.raw`\x3c`);
  const policy = [
    "default-src 'none'",
    `script-src '${digest(script)}'`,
    `style-src '${digest(style)}'`,
    "worker-src blob:",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
  ].join("; ");
  const bare = html
    .replaceAll(/\s*<script\b[^>]*><\/script>/g, "")
    .replaceAll(/\s*<link rel="stylesheet"[^>]*>/g, "");
  const meta = `<meta http-equiv="Content-Security-Policy" content="${policy}" />`;
  const whole = bare
    .replace('<meta charset="utf-8" />', (found) => `${found}\n    ${meta}`)
    .replace("</head>", () => `<style>${style}</style>\n  </head>`)
    .replace("</body>", () => `<script type="module">${script}</script>\n  </body>`);
  if (!whole.includes(meta) || !whole.includes(script) || !whole.includes(style))
    throw new Error("verify.html isn't as it was expected");
  return whole;
}

function digest(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
