/** What lenient readers may find in what is no JSON is suspected there, and error pages aren't. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { utf8 } from "../kernel/bytes.ts";
import { mayHoldName, startsLikeJson, withFiniteNumbers } from "./lenient-json.ts";

const grant = '{"result":{"tools":[]}}';

test("what some reader takes for an object or a list starts like one", () => {
  const texts = [
    grant,
    `[${grant}]`,
    ` \r\n\uFEFF${grant}`,
    `/* c */ ${grant}`,
    `# c\n${grant}`,
    `)]}'\n${grant}`,
  ];
  for (const text of texts) assert.equal(startsLikeJson(utf8(text)), true, text);
  const wide = Buffer.from(grant, "utf16le");
  for (const data of [wide, Buffer.concat([Buffer.from([0xff, 0xfe]), wide]), Buffer.from(wide).swap16()])
    assert.equal(startsLikeJson(data), true);
  assert.equal(startsLikeJson(utf8(" ".repeat(2000))), true, "who knows what comes behind it");
});

test("nothing, words, pages and numbers don't", () => {
  for (const text of ["", " \n", "Not found", "<!doctype html><p>{}", "404", "null", '"result"'])
    assert.equal(startsLikeJson(utf8(text)), false, text);
});

test("a name is suspected in every case, encoding and spelling", () => {
  const texts = ["result", "RESULT", "re\u017fult", "re\\u0073ult", "r\\145sult", "re\u0000sult"];
  for (const text of texts) assert.equal(mayHoldName(utf8(`{${text}:{}}`), "result"), true, text);
  for (const encoding of ["utf16le", "latin1"] as const)
    assert.equal(mayHoldName(Buffer.from("{tools:[]}", encoding), "tools"), true);
  assert.equal(mayHoldName(Buffer.from("{'tool\u017f':[]}", "utf16le"), "tools"), true);
  assert.equal(mayHoldName(utf8("[DONE]"), "result"), false);
  assert.equal(mayHoldName(utf8('{"error":'), "result"), false);
});

test("only numbers are made finite, and nothing moves", () => {
  const text = '{"NaN":"a \\" NaN","x":[NaN,-Infinity , Infinity]}';
  const finite = String(withFiniteNumbers(utf8(text)));
  assert.equal(finite, '{"NaN":"a \\" NaN","x":[0  ,0         , 0       ]}');
});
