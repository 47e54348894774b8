/** The control API's document by tools of others: a validator finds nothing, a generated client lists calls with it. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import path from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";

import { rolldown } from "rolldown";

import { controlOf, loggedIn } from "../support/control.ts";
import {
  clientOf,
  enrol,
  openPolicy,
  stubServer,
  temporaryFolder,
  testGateway,
  toolCall,
} from "../support/gateway.ts";
import { fetched } from "../support/registry.ts";

const { folder, missing } = await fetched(
  "@hey-api/openapi-ts@0.99.0",
  "@seriousme/openapi-schema-validator@2.11.0",
  "typescript@5.9.3",
);

interface Generated {
  readonly client: { readonly setConfig: (config: object) => void };
  readonly getCalls: (options: object) => Promise<{
    readonly data?: { readonly items: readonly { readonly what: string; readonly verdict: string }[] };
    readonly error?: { readonly code: string };
  }>;
}

test(
  "a validator finds nothing in the API's document, and a client generated from it lists calls",
  { skip: missing ?? false },
  async (t) => {
    const stub = await stubServer(t);
    const yaml = `servers: { stub: { url: "${stub.url}" } }\n${openPolicy}`;
    const gateway = await testGateway(t, yaml, { dashboard: "127.0.0.1:0" });
    const caller = clientOf(t, gateway, await enrol(gateway, "agent/a"));
    assert.equal((await caller.post("stub", toolCall("pay"))).status, 200);
    const { ask, origin } = controlOf(gateway);
    const { cookie } = await loggedIn(gateway);
    const { body: document } = await ask("GET /openapi.json");

    const { Validator } = (await import(
      pathToFileURL(path.join(folder, "node_modules/@seriousme/openapi-schema-validator/index.js")).href
    )) as { Validator: new () => { validate: (document: object) => Promise<object>; version: string } };
    const validator = new Validator();
    assert.deepEqual(
      [await validator.validate(structuredClone(document)), validator.version],
      [{ valid: true }, "3.1"],
    );

    const work = await temporaryFolder(t);
    const file = path.join(work, "openapi.json");
    await writeFile(file, JSON.stringify(document));
    const generator = path.join(folder, "node_modules", ".bin", "openapi-ts");
    const output = path.join(work, "client");
    await promisify(execFile)(process.execPath, [generator, "--input", file, "--output", output], {
      cwd: folder,
    });
    // Its index leaves the client's own settings out.
    await writeFile(
      path.join(output, "all.ts"),
      'export * from "./sdk.gen";\nexport { client } from "./client.gen";\n',
    );
    const bundle = await rolldown({ input: path.join(output, "all.ts"), logLevel: "silent" });
    const built = path.join(work, "client.mjs");
    await bundle.write({ file: built });
    await bundle.close();

    const { client, getCalls } = (await import(pathToFileURL(built).href)) as Generated;
    client.setConfig({ baseUrl: `${origin}/api/v1`, headers: { cookie, "user-agent": "undici" } });
    const listed = await getCalls({ query: { limit: 5 } });
    assert.deepEqual(
      listed.data?.items.map(({ what, verdict }) => [what, verdict]),
      [["stub/pay", "allowed"]],
    );
    client.setConfig({ baseUrl: `${origin}/api/v1`, headers: { cookie: "latticegate-session=x" } });
    assert.equal((await getCalls({})).error?.code, "no_identity");
  },
);
