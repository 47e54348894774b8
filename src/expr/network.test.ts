/** Addresses and networks: what is one, and which holds which. */
import assert from "node:assert/strict";
import { BlockList, isIPv4, isIPv6 } from "node:net";
import { test } from "node:test";

import * as fc from "fast-check";

import { holds, parseAddress, parseNetwork } from "./network.ts";

const within = (address: string, network: string): boolean | undefined => {
  const [parsed, of] = [parseAddress(address), parseNetwork(network)];
  return parsed && of && holds(of, parsed);
};

const table: readonly (readonly [string, string, boolean | undefined])[] = [
  ["10.1.2.3", "10.0.0.0/8", true],
  ["11.0.0.0", "10.0.0.0/8", false],
  ["10.255.255.255", "10.0.0.0/8", true],
  ["0.0.0.0", "0.0.0.0/0", true],
  ["255.255.255.255", "0.0.0.0/0", true],
  ["::1", "0.0.0.0/0", false],
  ["10.0.0.1", "::/0", false],
  ["192.168.1.1", "192.168.1.1", true],
  ["192.168.1.2", "192.168.1.1/32", false],
  ["::1", "::1", true],
  ["::1", "::/127", true],
  ["::2", "::/127", false],
  ["2001:db8::1", "2001:db8::/32", true],
  ["2001:db9::1", "2001:db8::/32", false],
  ["2001:DB8:0:0:0:0:0:1", "2001:db8::1/128", true],
  ["fe80::1%eth0", "fe80::/10", true],
  ["::ffff:10.1.2.3", "10.0.0.0/8", true],
  ["::ffff:a01:203", "10.0.0.0/8", true],
  ["10.1.2.3", "::ffff:10.0.0.0/104", true],
  ["11.1.2.3", "::ffff:10.0.0.0/104", false],
  ["10.1.2.3", "::ffff:0:0/96", true],
  ["::10.1.2.3", "::a01:203", true],
  ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304", true],
  ["10.1.2.3", "10.1.2.3/8", undefined],
  ["10.1.2.3", "10.0.0.0/33", undefined],
  ["::1", "::/129", undefined],
  ["10.1.2.3", "10.0.0.0/08", undefined],
  ["10.1.2.3", "10.0.0.0/", undefined],
  ["10.1.2.3", "10.0.0.0/8/8", undefined],
  ["10.1.2.3", "::ffff:10.0.0.0/8", undefined],
  ["10.1.2", "10.0.0.0/8", undefined],
  ["10.1.2.256", "10.0.0.0/8", undefined],
  ["010.1.2.3", "10.0.0.0/8", undefined],
  ["0x0a.1.2.3", "10.0.0.0/8", undefined],
  ["167772161", "10.0.0.0/8", undefined],
  ["", "10.0.0.0/8", undefined],
  [" 10.1.2.3", "10.0.0.0/8", undefined],
  [":::", "::/0", undefined],
  ["1::2::3", "::/0", undefined],
  ["1:2:3:4:5:6:7", "::/0", undefined],
  ["1:2:3:4:5:6:7:8:9", "::/0", undefined],
  ["1:2:3:4:5:6:7::8", "::/0", undefined],
  ["1.2.3.4::", "::/0", undefined],
  ["12345::", "::/0", undefined],
  ["g::", "::/0", undefined],
  [":1", "::/0", undefined],
  ["x".repeat(100), "::/0", undefined],
];
for (const [address, network, expected] of table) {
  test(`"${address.slice(0, 40)}" in "${network}" is ${expected}`, () =>
    assert.equal(within(address, network), expected));
}

const groups = fc
  .array(fc.nat(0xffff), { minLength: 8, maxLength: 8 })
  .map((all) => all.map((each) => each.toString(16)).join(":"));
const address = fc.oneof(fc.ipV4(), fc.ipV6(), groups);

test("it holds an address exactly if Node's block list does", () => {
  fc.assert(
    fc.property(address, address, fc.nat(128), (one, base, bits) => {
      const family = (text: string): "ipv4" | "ipv6" => (isIPv4(text) ? "ipv4" : "ipv6");
      const parsed = parseAddress(base);
      assert.ok(parsed !== undefined, base);
      const [version, width] = family(base) === "ipv4" ? [4, 32] : [6, 128];
      // Node also finds an IPv4 address in the IPv6 networks that hold its mapped form; to us it is in IPv4 ones only.
      fc.pre(family(one) === family(base));
      fc.pre(parsed.version === version && parseAddress(one)?.version === (isIPv4(one) ? 4 : 6));
      const prefixBits = Math.min(bits, width);
      const list = new BlockList();
      list.addSubnet(base, prefixBits, family(base));
      const masked = (parsed.bits >> BigInt(width - prefixBits)) << BigInt(width - prefixBits);
      const other = parseAddress(one);
      assert.ok(other !== undefined, one);
      const network = { base: { version: parsed.version, bits: masked }, prefixBits };
      assert.equal(holds(network, other), list.check(one, family(one)), `${one} in ${base}/${prefixBits}`);
    }),
    { numRuns: 1000 },
  );
});

test("what is an address to it is one to Node", () => {
  const text = fc.stringMatching(/^[0-9a-f:.]{1,24}$/);
  fc.assert(
    fc.property(fc.oneof(text, address), (each) => {
      assert.equal(parseAddress(each) !== undefined, isIPv4(each) || isIPv6(each), each);
    }),
    { numRuns: 3000 },
  );
});
