/** Models that somebody vouches for: the model's file as a document signed with Ed25519 and ML-DSA-65 (docs/formats/model.md). */
import { writePrivateFile } from "../../host/store/files.ts";
import type { KeyFolder } from "../../host/store/key-folder.ts";
import { type DocumentKind, openDocument, signDocument } from "../../integrity/signed-document.ts";
import { publisherKeysOf } from "../../integrity/tools/publisher-keys.ts";
import { utf8 } from "../../kernel/bytes.ts";
import { Refusal } from "../../kernel/refusal.ts";
import { isObject, memberOf } from "../../wire/values.ts";
import { publisherSigners } from "../publisher-signers.ts";

const kind: DocumentKind = { member: "model", type: "latticegate-model+jws", maxBytes: 16 * 1024 * 1024 };

/** @returns the fingerprint that gateways are to name under `detect.model.publishers` */
export async function signModel(file: string, model: object, keys: KeyFolder): Promise<string> {
  const signers = await publisherSigners(keys, "model");
  await writePrivateFile(file, await signDocument(kind, model, signers));
  return publisherKeysOf(signers).fingerprint;
}

export function isSigned(document: unknown): boolean {
  return isObject(memberOf(document, "signature"));
}

/**
 * @param publishers fingerprints of those that count; undefined: whoever signed it, such as for a look at a file
 * @throws Refusal `bad_config`
 */
export function openSigned(file: string, text: string, publishers: readonly string[] | undefined): unknown {
  const opened = openDocument(kind, utf8(text));
  if (opened.kind === "fault")
    throw new Refusal("bad_config", `The signatures of the model ${file} don't count (${opened.fault}).`);
  if (publishers !== undefined && !publishers.includes(opened.signedBy))
    throw new Refusal(
      "bad_config",
      `The model ${file} is signed with ${opened.signedBy}, which isn't among detect.model.publishers.`,
    );
  return opened.members;
}
