/** The keys a signer holds, and the one way to use them: each for its purpose, judged, counted and remembered. */
import { judgeHead } from "../../audit/head-rules.ts";
import type { SigningKey } from "../../crypto/keys.ts";
import { type SignatureSuiteId, signatureSuiteIds } from "../../crypto/suites/signatures.ts";
import type { SignerAnswer, SignerRequest, SignerStatus } from "../../host/signer/messages.ts";
import type { KeyFolder } from "../../host/store/key-folder.ts";
import type { Purpose } from "../../identity/authority.ts";
import { judgeCertificate } from "../../identity/issuance-rules.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { allowance } from "./allowance.ts";
import { type Remembered, readMemory, writeMemory } from "./memory.ts";
import { keyPurpose, type KeyPurpose, maySignWith } from "./purposes.ts";

export interface VaultOptions {
  readonly keys: KeyFolder;
  readonly memoryFile: string;
  readonly trustDomain: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Roots of thirty generations; of the log's keys two are there at most. */
const maxKeys = 128;
/** A head has four signatures, eight where generations meet, and is made once a second; certificates come with newcomers and twice an hour. */
const headSignatures = { what: "heads", burst: 200, perSecond: 40 };
const certificates = { what: "certificates", burst: 500, perSecond: 5 };
/** Those of a start, and ten rotations of the log's. */
const newKeys = { what: "new keys", burst: 48, perSecond: 1 / 900 };

interface HeldKey {
  readonly name: string;
  readonly purpose: KeyPurpose;
  readonly suiteId: SignatureSuiteId;
  readonly key: SigningKey;
  signatures: number;
}

/** @throws Refusal `bad_state` if a key doesn't open, or what was remembered can't be read */
export async function openVault(
  options: VaultOptions,
): Promise<(request: SignerRequest) => Promise<SignerAnswer>> {
  const { keys, clock, log, trustDomain } = options;
  const vault = new Vault(options, await readMemory(options.memoryFile));
  for (const { name, kind } of await keys.list()) {
    const suiteId = signatureSuiteIds.find((id) => id === kind);
    if (suiteId !== undefined) await vault.hold(name, suiteId);
  }
  await vault.eraseEnded();
  const started = new Date(clock.nowUnixMs()).toISOString();
  log.info("signer.opened", { keys: vault.held().length, trust_domain: trustDomain });
  return async (request) => {
    const { id } = request;
    if (request.op === "status") {
      return { id, status: { trust_domain: trustDomain, started, ...vault.status() } };
    }
    const { name, suite } = request;
    return request.op === "key"
      ? { id, public_key: await vault.publicKey(name, suite) }
      : { id, signature: await vault.sign(name, suite, request.message) };
  };
}

class Vault {
  readonly #options: VaultOptions;
  readonly #held = new Map<string, HeldKey>();
  readonly #heads;
  readonly #certificates;
  readonly #newKeys;
  #memory: Remembered;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: VaultOptions, memory: Remembered) {
    this.#options = options;
    this.#memory = memory;
    this.#heads = allowance(headSignatures, options);
    this.#certificates = allowance(certificates, options);
    this.#newKeys = allowance(newKeys, options);
  }

  readonly held = (): readonly HeldKey[] => [...this.#held.values()];

  async hold(name: string, suiteId: SignatureSuiteId): Promise<HeldKey> {
    const purpose = keyPurpose(name);
    if (purpose === undefined || !maySignWith(purpose, suiteId))
      throw this.#refused(name, `no ${suiteId} key may have that name`);
    const key = await this.#options.keys.signing(name, suiteId);
    const held = this.#held.get(name) ?? { name, purpose, suiteId, key, signatures: 0 };
    this.#held.set(name, held);
    return held;
  }

  /** In turn, so that one name gets one key whoever asks at the same time. */
  publicKey(name: string, suiteId: SignatureSuiteId): Promise<Uint8Array> {
    return this.#inTurn(async () => {
      const held = this.#held.get(name) ?? (await this.#made(name, suiteId));
      if (held.suiteId !== suiteId) throw this.#refused(name, `it is an ${held.suiteId} key`);
      return held.key.publicKey.export({ type: "spki", format: "der" });
    });
  }

  async sign(name: string, suiteId: SignatureSuiteId, message: Uint8Array): Promise<Uint8Array> {
    const held = this.#held.get(name);
    if (held?.suiteId !== suiteId) throw this.#refused(name, `there is no such ${suiteId} key`);
    const { purpose } = held;
    // INVARIANT: nothing is signed before it was judged, and what has to be remembered of it is on disk.
    await this.#inTurn(() =>
      purpose.kind === "log"
        ? this.#approveHead(held, purpose.generation, message)
        : this.#approveCertificate(held, purpose.purpose, message),
    );
    held.signatures += 1;
    return await held.key.sign(message);
  }

  status(): Omit<SignerStatus, "trust_domain" | "started"> {
    const { head } = this.#memory;
    return {
      keys: this.held().map(({ name, suiteId, signatures }) => ({ name, suite: suiteId, signatures })),
      ...(head && { log: { origin: head.origin, size: head.size, generation: head.generation } }),
    };
  }

  async #made(name: string, suiteId: SignatureSuiteId): Promise<HeldKey> {
    this.#refuseEnded(name);
    if (this.#held.size >= maxKeys) throw this.#refused(name, `there are ${maxKeys} keys already`);
    this.#newKeys.take();
    const held = await this.hold(name, suiteId);
    this.#options.log.warn("signer.key_made", { key: name, suite: suiteId });
    return held;
  }

  async #approveHead({ name, key }: HeldKey, generation: number, message: Uint8Array): Promise<void> {
    this.#heads.take();
    const { head: last, roots } = this.#memory;
    const { trustDomain, clock } = this.#options;
    const use = { suite: key.suite, generation, trustDomain, last };
    const judged = judgeHead(message, use, clock.nowUnixMs());
    if (judged.kind === "refused") throw this.#refused(name, judged.why);
    if (last !== judged.head) await this.#remember({ head: judged.head, roots });
    await this.eraseEnded();
  }

  /** A head behind the crossing says that the crossing is kept: the keys before it have nothing left to sign. */
  async eraseEnded(): Promise<void> {
    const { head } = this.#memory;
    if (head?.crossing === undefined || head.size === head.crossing.size) return;
    for (const { name, purpose } of this.held()) {
      if (purpose.kind !== "log" || purpose.generation >= head.generation) continue;
      await this.#options.keys.remove(name);
      this.#held.delete(name);
      this.#options.log.warn("signer.key_erased", { key: name, generation: head.generation });
    }
  }

  /** A key that was erased isn't made again under its name, and none is made long before its turn. */
  #refuseEnded(name: string): void {
    const purpose = keyPurpose(name);
    const { head } = this.#memory;
    if (purpose?.kind !== "log" || head === undefined) return;
    const { generation } = purpose;
    if (generation < head.generation) throw this.#refused(name, `generation ${generation} has ended`);
    if (generation > head.generation + 1) throw this.#refused(name, `generation ${generation} isn't next`);
  }

  async #approveCertificate({ name, key }: HeldKey, purpose: Purpose, message: Uint8Array): Promise<void> {
    this.#certificates.take();
    const { trustDomain, clock, log } = this.#options;
    const { head, roots } = this.#memory;
    const root = roots.get(name);
    const { suite, publicKey } = key;
    const use = { purpose, trustDomain, suite, publicKey, root, isUsed: root?.isUsed ?? false };
    const judged = judgeCertificate(message, use, clock.nowUnixMs());
    const remember = (seen: {
      subject: Uint8Array;
      notAfterUnixMs: number;
      isUsed: boolean;
    }): Promise<void> => this.#remember({ head, roots: new Map([...roots, [name, seen]]) });
    switch (judged.kind) {
      case "refused":
        throw this.#refused(name, judged.why);
      case "root":
        await remember({ ...judged, isUsed: false });
        log.warn("signer.root_made", { key: name });
        return;
      case "leaf":
        if (root !== undefined && !root.isUsed) await remember({ ...root, isUsed: true });
        log.info("signer.certificate", { key: name, spiffeId: judged.spiffeId, serial: judged.serial });
    }
  }

  async #remember(memory: Remembered): Promise<void> {
    await writeMemory(this.#options.memoryFile, memory);
    this.#memory = memory;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** An error: a gateway that is whole asks for nothing that is refused. */
  #refused(name: string, why: string): Refusal {
    this.#options.log.error("signer.refused", { key: name.slice(0, 64), reason: why });
    return new Refusal("signer_refused", why);
  }
}
