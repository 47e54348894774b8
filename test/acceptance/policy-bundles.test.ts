/** Rules that come in signed bundles: taken up whole, never older, kept when their source is gone, rolled back by a decision. */
import assert from "node:assert/strict";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { test, type TestContext } from "node:test";

import { loadConfig } from "../../src/app/config.ts";
import { bundleHistory, followBundle, rollBackBundle } from "../../src/app/policy/bundle-operations.ts";
import { examine } from "../../src/app/doctor.ts";
import { systemClock } from "../../src/host/system.ts";
import { maxBundleBytes } from "../../src/integrity/policy-bundle.ts";
import { bundlePublisher, followingScene, type FollowingScene } from "../support/bundle-publisher.ts";
import { eventually } from "../support/gateway.ts";
import { httpsServer, publicAuthority } from "../support/https-server.ts";
import { entriesOf, logged } from "../support/records.ts";

const deciding = { because: "It broke refunds.", who: "ann", clock: systemClock };

/** As others replace files: whole. */
async function place(file: string, text: string): Promise<void> {
  await writeFile(`${file}.next`, text);
  await rename(`${file}.next`, file);
}

async function fileScene(
  t: TestContext,
  publishers: readonly string[],
): Promise<FollowingScene & { readonly file: string }> {
  const scene = await followingScene(t, publishers, () => "./acme.bundle");
  return { ...scene, file: path.join(scene.folder, "acme.bundle") };
}

test("without a bundle everything is denied with a reason, and the first one that comes is in force", async (t) => {
  const acme = bundlePublisher();
  const { start, file, config } = await fileScene(t, [acme.fingerprint]);
  const { gateway, allowed, answer } = await start();
  assert.match(await answer(), /No policy bundle is in force, so everything is denied/);
  assert.equal(logged(gateway, "policy.bundle_away")[0]?.["why"], "ENOENT");
  const verdicts = [];
  for await (const { what, level, text } of examine({ config: loadConfig(config), clock: systemClock }))
    if (what === "policies" || what === "lab") verdicts.push(`${what} ${level}: ${text}`);
  assert.match(verdicts.join("\n"), /policies wrong: no bundle is in force.*ENOENT[^]*lab ok/);

  await place(file, await acme.bundle(1, ["a"]));
  await eventually("the first bundle counts", async () => (await allowed()) === "a");
  const [change] = await entriesOf(gateway, "policy.change");
  const { bundle, sequence, publisher, signed_by, source, removed } = change?.facts ?? {};
  assert.deepEqual(
    [bundle, sequence, publisher, signed_by, source, removed],
    ["taken", "1", "acme security", acme.fingerprint, file, "no-policy-bundle"],
  );
});

test("a bundle that was tampered with, stripped, swapped, replayed or is too long changes nothing, and is told once", async (t) => {
  const [acme, eve] = [bundlePublisher(), bundlePublisher()];
  const { start, file, config } = await fileScene(t, [acme.fingerprint]);
  const old = await acme.bundle(1, ["a", "b"]);
  const now = await acme.bundle(2, ["a"]);
  await place(file, old);
  const first = await start();
  assert.equal(await first.allowed(), "ab");
  await place(file, now);
  const { gateway, allowed } = first;
  await eventually("the second counts", async () => (await allowed()) === "a");

  const next = JSON.parse(await acme.bundle(3, ["a", "b", "c"])) as {
    readonly signature: { readonly signatures: readonly object[] };
  };
  const hostile = [
    [JSON.stringify(next).replaceAll("lab/c", "lab/*"), "bad_signature"],
    [
      JSON.stringify({ ...next, signature: { signatures: next.signature.signatures.slice(0, 1) } }),
      "weak_algorithm",
    ],
    [await eve.bundle(9, ["a", "b", "c"]), "unknown_publisher"],
    [old, "older"],
    [await acme.bundle(2, ["a", "b"]), "same_sequence"],
    [`${await acme.bundle(3, ["a", "b"])}${" ".repeat(maxBundleBytes)}`, "too_large"],
    [now.replace("lab/a", "lab/b").slice(0, -20), "malformed"],
  ] as const;
  for (const [at, [text, why]] of hostile.entries()) {
    await place(file, text);
    await eventually(why, () => logged(gateway, "policy.bundle_refused").length > at);
    assert.equal(logged(gateway, "policy.bundle_refused").at(-1)?.["why"], why);
    assert.equal(await allowed(), "a", why);
  }
  await gateway.stop();

  const { gateway: again, allowed: still } = await start();
  assert.equal(await still(), "a");
  const refused = (await entriesOf(again, "policy.refuse")).map(({ facts, outcome }) => [
    facts["why"],
    outcome,
  ]);
  assert.deepEqual(
    refused,
    hostile.map(([, why]) => [why, "denied"]),
    "one entry each, none after the restart",
  );
  assert.match(bundleHistory(loadConfig(config)).trouble?.text ?? "", /isn't a bundle of policies/);
  await place(file, await acme.bundle(3, ["b"]));
  await eventually("a good one counts again", async () => (await still()) === "b");
  assert.equal(bundleHistory(loadConfig(config)).trouble, undefined);
});

test("a gateway that starts without its source goes on with the last good bundle, and with none that no pinned publisher signed", async (t) => {
  const acme = bundlePublisher();
  const { start, file, config } = await fileScene(t, [acme.fingerprint]);
  await place(file, await acme.bundle(4, ["b"]));
  const first = await start();
  assert.equal(await first.allowed(), "b");
  await first.gateway.stop();

  await rm(file);
  const second = await start();
  assert.equal(await second.allowed(), "b");
  assert.equal(logged(second.gateway, "policy.bundle_away").length, 1);

  // The config names somebody else now: the rules stay while it runs, and at the next start there are none.
  const yaml = (await readFile(config, "utf8")).replace(acme.fingerprint, bundlePublisher().fingerprint);
  await writeFile(config, yaml);
  await eventually("it is told", () => logged(second.gateway, "policy.refused").length === 1);
  assert.equal(await second.allowed(), "b");
  await second.gateway.stop();
  const third = await start(yaml.replace(/^state: .*\ndashboard: .*\n/, ""));
  assert.equal(await third.allowed(), "");
  assert.match(
    String(logged(third.gateway, "policy.refused")[0]?.["reason"]),
    /isn't among policies.bundle.publishers/,
  );
});

test("an operator rolls back, which outlives a restart, until a higher sequence comes or the operator follows again", async (t) => {
  const acme = bundlePublisher();
  const { start, file, config } = await fileScene(t, [acme.fingerprint]);
  await place(file, await acme.bundle(1, ["a"]));
  const { gateway, allowed } = await start();
  await place(file, await acme.bundle(2, ["b"]));
  await eventually("the second counts", async () => (await allowed()) === "b");

  rollBackBundle(loadConfig(config), undefined, deciding);
  await eventually("the first counts again", async () => (await allowed()) === "a");
  const change = (await entriesOf(gateway, "policy.change")).at(-1)?.facts ?? {};
  assert.deepEqual([change["bundle"], change["sequence"], change["by"]], ["rolled-back", "1", "operator"]);
  followBundle(loadConfig(config), false, deciding);
  await eventually("the second counts again", async () => (await allowed()) === "b");
  await gateway.stop();

  // While no gateway runs: it is on record when one does.
  rollBackBundle(loadConfig(config), "1", deciding);
  const second = await start();
  assert.equal(await second.allowed(), "a");
  const steps = (await entriesOf(second.gateway, "policy.change")).map(({ facts }) =>
    [facts["bundle"], facts["sequence"]].join(" "),
  );
  assert.deepEqual(steps, ["taken 1", "taken 2", "rolled-back 1", "followed 2", "rolled-back 1"]);
  await place(file, await acme.bundle(3, ["c"]));
  await eventually("a higher one counts", async () => (await second.allowed()) === "c");

  await place(file, await acme.bundle(1, ["a", "b"]));
  await eventually(
    "one that counts anew is refused",
    () => logged(second.gateway, "policy.bundle_refused").length === 1,
  );
  followBundle(loadConfig(config), true, deciding);
  await eventually("until the operator lets it", async () => (await second.allowed()) === "ab");
  const { rows } = bundleHistory(loadConfig(config));
  assert.deepEqual(
    rows.slice(0, 3).map(({ what, sequence, by }) => [what, sequence, by]),
    [
      ["taken", 1, "gateway"],
      ["reset", 3, "ann"],
      ["taken", 3, "gateway"],
    ],
  );
});

test("what an operator can't put in force is refused, with what to do", async (t) => {
  const acme = bundlePublisher();
  const { start, file, config } = await fileScene(t, [acme.fingerprint]);
  await place(file, await acme.bundle(5, ["a"]));
  const { allowed } = await start();
  const own = loadConfig(config);
  assert.throws(() => rollBackBundle(own, undefined, deciding), /No bundle from before 5 is kept/);
  assert.throws(() => rollBackBundle(own, "4", deciding), /No bundle "4" is kept/);
  assert.throws(() => rollBackBundle(own, "5", deciding), /in force already/);
  assert.throws(() => followBundle(own, false, deciding), /Nothing was rolled back/);
  assert.equal(await allowed(), "a");
});

test("a bundle in a git checkout is taken up when it is pulled, and its commit is on record", async (t) => {
  const acme = bundlePublisher();
  const { start, folder, config } = await followingScene(
    t,
    [acme.fingerprint],
    () => "{ git: ./checkout, file: rules/acme.bundle }",
  );
  const checkout = path.join(folder, "checkout");
  const [first, second] = ["1", "2"].map((digit) => digit.repeat(40));
  await mkdir(path.join(checkout, ".git"), { recursive: true });
  await mkdir(path.join(checkout, "rules"));
  await writeFile(path.join(checkout, ".git", "HEAD"), "ref: refs/heads/main\n");
  await writeFile(path.join(checkout, ".git", "packed-refs"), `# pack-refs\n${first} refs/heads/main\n`);
  await place(path.join(checkout, "rules", "acme.bundle"), await acme.bundle(1, ["a"]));
  const { gateway, allowed } = await start();
  assert.equal(await allowed(), "a");
  await mkdir(path.join(checkout, ".git", "refs", "heads"), { recursive: true });
  await writeFile(path.join(checkout, ".git", "refs", "heads", "main"), `${second}\n`);
  await place(path.join(checkout, "rules", "acme.bundle"), await acme.bundle(2, ["b"]));
  await eventually("what was pulled counts", async () => (await allowed()) === "b");
  const commits = (await entriesOf(gateway, "policy.change")).map(({ facts }) => facts["commit"]);
  assert.deepEqual(commits, [first, second]);
  assert.deepEqual(
    bundleHistory(loadConfig(config)).rows.map(({ commit }) => commit),
    [second, first],
  );
});

test("a bundle behind an https URL is asked for over ML-KEM, with its ETag and token; no redirect is followed, and no endless answer read", async (t) => {
  const acme = bundlePublisher();
  const { certificate: cert, key } = publicAuthority(t).issue("server");
  let bundle = await acme.bundle(1, ["a"]);
  let status = 200;
  const asked: (string | undefined)[] = [];
  const server = await httpsServer(
    t,
    { cert, key, ecdhCurve: "X25519MLKEM768:X25519" },
    (request, response) => {
      const tag = `"${bundle.length}-${/"sequence": (\d+)/.exec(bundle)?.[1] ?? ""}"`;
      const isKnown = request.headers["if-none-match"] === tag;
      asked.push(`${request.headers.authorization ?? ""} ${isKnown ? "known" : "new"}`);
      if (status === 206) response.writeHead(200).end(Buffer.alloc(maxBundleBytes + 1, " "));
      else if (status === 302) response.writeHead(302, { location: "https://elsewhere.test/" }).end();
      else if (isKnown) response.writeHead(304).end();
      else response.writeHead(200, { etag: tag }).end(bundle);
    },
  );
  process.env["LATTICEGATE_TEST_BUNDLE_TOKEN"] = "s3cret";
  t.after(() => delete process.env["LATTICEGATE_TEST_BUNDLE_TOKEN"]);
  const { start, config } = await followingScene(
    t,
    [acme.fingerprint],
    () => `"${server.url}?sig=abc", every: 1s, token: { env: LATTICEGATE_TEST_BUNDLE_TOKEN }`,
  );
  const { gateway, allowed } = await start();
  await eventually("the first bundle counts", async () => (await allowed()) === "a");
  await eventually("it is asked whether it is another", () => asked.at(-1) === "Bearer s3cret known");
  bundle = await acme.bundle(2, ["b"]);
  await eventually("the second counts", async () => (await allowed()) === "b");
  status = 302;
  await eventually("a redirect isn't followed", () => logged(gateway, "policy.bundle_away").length === 1);
  assert.equal(logged(gateway, "policy.bundle_away")[0]?.["why"], "redirect");
  status = 206;
  await eventually(
    "no more is read than a bundle has",
    () => logged(gateway, "policy.bundle_away").length === 2,
  );
  assert.equal(logged(gateway, "policy.bundle_away")[1]?.["why"], "too_large");
  status = 200;
  bundle = await acme.bundle(3, ["c"]);
  await eventually("it goes on", async () => (await allowed()) === "c", 10_000);
  assert.deepEqual(
    bundleHistory(loadConfig(config)).rows.map(({ source }) => source),
    Array(3).fill(server.url),
  );
  assert.ok(!gateway.log.some((line) => /s3cret|sig=abc/.test(line)), "no token in the log");

  server.offer({ cert, key, ecdhCurve: "X25519" });
  await eventually(
    "a classical link isn't used",
    () => logged(gateway, "policy.bundle_away").length === 3,
    10_000,
  );
  assert.match(String(logged(gateway, "policy.bundle_away")[2]?.["reason"]), /this link needs one of/);
  await gateway.stop();
  const again = await start();
  assert.equal(await again.allowed(), "c", "the last good one, with the source away");
});
