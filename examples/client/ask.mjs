// A client of the official SDK that says what its calls are for, verifies their receipts, and asks who signed the answers.
//
//   node ask.mjs LOG-KEY-FILE latticegate connect everything
//
// LOG-KEY-FILE is the public key of the gateway's log, `log-key.txt` of its state folder: it comes from whoever runs the
// gateway, never from an answer.
import { readFile } from "node:fs/promises";

import { Client } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import {
  readLogKey,
  readReceipt,
  signerOf,
  verifyReceipt,
  withIntent,
  withReceipt,
  withSignatureOffer,
} from "latticegate/client";

const [logKeyFile, command, ...args] = process.argv.slice(2);
if (logKeyFile === undefined || command === undefined) {
  console.error("Expected the log's key file, then the command that connects to the server.");
  process.exit(2);
}
const logKey = readLogKey(await readFile(logKeyFile, "utf8"));

// Who doesn't offer the extension gets answers as they were before they were signed.
const client = new Client({ name: "ask", version: "1.0.0" }, { capabilities: withSignatureOffer({}) });
await client.connect(new StdioClientTransport({ command, args }));
try {
  const call = { name: "echo", arguments: { message: "hello" } };
  const purpose = "Show that the way to the server works";
  const result = await client.callTool(withReceipt(withIntent(call, { purpose, effect: "read-only" })));
  for (const { text } of result.content) console.log(text);

  const signer = signerOf(result);
  if (signer === undefined) console.log("nobody signed it");
  else console.log(`signed by ${signer.signed}, ${signer.mode} ${signer.alg ?? ""}, keys: ${signer.pin}`);

  const receipt = readReceipt(result);
  if (receipt.kind === "receipt") {
    const verdict = verifyReceipt(receipt.bytes, { logKey });
    if (verdict.kind === "holds") console.log(`entry ${verdict.index} of the log: ${verdict.entry.outcome}`);
    else console.log(`the receipt doesn't hold: ${verdict.why}`);
  } else console.log(`receipt: ${receipt.kind}`);
} finally {
  await client.close();
}
