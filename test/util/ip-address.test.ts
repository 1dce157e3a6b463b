import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatCidr,
  formatIp,
  isUnspecified,
  joinHostPort,
  maskIp,
  networkContains,
  parseCidr,
  parseIp,
} from "../../src/util/ip-address.ts";

const addresses: readonly [string, string | null][] = [
  ["1.2.3.4", "1.2.3.4"],
  ["0.0.0.0", "0.0.0.0"],
  ["255.255.255.255", "255.255.255.255"],
  ["256.1.1.1", null],
  ["01.2.3.4", null],
  ["1.2.3", null],
  ["1.2.3.4.5", null],
  ["1.2.3.4 ", null],
  ["", null],
  ["localhost", null],
  ["::", "::"],
  ["::1", "::1"],
  ["1::", "1::"],
  ["FE80::1", "fe80::1"],
  ["fe80::1%eth0", null],
  ["[::1]", null],
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["::ffff:1.2.3.4", "1.2.3.4"],
  ["::ffff:102:304", "1.2.3.4"],
  ["64:ff9b::1.2.3.4", "64:ff9b::102:304"],
  ["1:2:3:4:5:6:7", null],
  ["1:2:3:4:5:6:7:8:9", null],
  ["1:2:3:4::5:6:7:8", null],
  ["1::2::3", null],
  [":::", null],
  ["12345::", null],
  ["1.2.3.4::", null],
  ["::1.2.3.256", null],
];

test("parseIp and formatIp: every form", () => {
  for (const [text, wanted] of addresses) {
    const address = parseIp(text);
    assert.equal(address === null ? null : formatIp(address), wanted, text);
  }
});

const networks: readonly [string, string | null][] = [
  ["10.1.2.3/8", "10.0.0.0/8"],
  ["10.1.2.3/12", "10.0.0.0/12"],
  ["10.31.2.3/12", "10.16.0.0/12"],
  ["1.2.3.4/32", "1.2.3.4/32"],
  ["1.2.3.4/0", "0.0.0.0/0"],
  ["1.2.3.4/33", null],
  ["1.2.3.4", null],
  ["1.2.3.4/", null],
  ["1.2.3.4/-1", null],
  ["x/8", null],
  ["2001:db8::1/33", "2001:db8::/33"],
  ["::1/128", "::1/128"],
  ["::1/129", null],
  ["::ffff:10.1.2.3/104", "10.0.0.0/8"],
  ["::ffff:10.1.2.3/95", null],
];

test("parseCidr and formatCidr: every form", () => {
  for (const [text, wanted] of networks) {
    const network = parseCidr(text);
    assert.equal(network === null ? null : formatCidr(network), wanted, text);
  }
});

const members: readonly [string, string, boolean][] = [
  ["10.0.0.0/8", "10.255.255.255", true],
  ["10.0.0.0/8", "11.0.0.0", false],
  ["10.128.0.0/9", "10.127.255.255", false],
  ["10.128.0.0/9", "10.128.0.0", true],
  ["0.0.0.0/0", "203.0.113.1", true],
  ["0.0.0.0/0", "::1", false],
  ["::/0", "::1", true],
  ["::/0", "1.2.3.4", false],
  ["fc00::/7", "fdff::1", true],
  ["fc00::/7", "fe00::1", false],
  ["1.2.3.4/32", "1.2.3.4", true],
  ["1.2.3.4/32", "1.2.3.5", false],
  ["10.0.0.0/8", "::ffff:10.1.1.1", true],
];

test("networkContains: inside, outside, across families", () => {
  for (const [cidr, address, wanted] of members) {
    const [network, ip] = [parseCidr(cidr), parseIp(address)];
    assert.ok(network !== null && ip !== null);
    assert.equal(networkContains(network, ip), wanted, `${address} in ${cidr}`);
  }
});

test("isUnspecified, maskIp and joinHostPort", () => {
  const [any4, any6, loopback] = ["0.0.0.0", "::", "127.0.0.1"].map((text) => parseIp(text));
  assert.ok(any4 && any6 && loopback);
  assert.deepEqual([any4, any6, loopback].map(isUnspecified), [true, true, false]);
  assert.equal(formatIp(maskIp(loopback, 1)), "0.0.0.0");
  assert.equal(formatIp(maskIp(loopback, 4)), "112.0.0.0");
  assert.equal(joinHostPort("1.2.3.4", 80), "1.2.3.4:80");
  assert.equal(joinHostPort("::1", 80), "[::1]:80");
});
