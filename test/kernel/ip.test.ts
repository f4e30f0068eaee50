/** Addresses and ranges: what is read, what is refused, and which range an address belongs to. */

import { isIP } from "node:net";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contains, type IpRange, isRangeInside, parseCidr, parseIp, specialRangeOf } from "../../src/kernel/ip.ts";

describe("parseIp", () => {
  test.each([
    ["0.0.0.0", 4, 0n],
    ["255.255.255.255", 4, 0xffff_ffffn],
    ["192.0.2.1", 4, 0xc000_0201n],
    ["::", 6, 0n],
    ["::1", 6, 1n],
    ["1::", 6, 1n << 112n],
    ["2001:db8::1", 6, 0x2001_0db8_0000_0000_0000_0000_0000_0001n],
    ["2001:0DB8:0:0:0:0:0:1", 6, 0x2001_0db8_0000_0000_0000_0000_0000_0001n],
    ["1:2:3:4:5:6:7::", 6, 0x0001_0002_0003_0004_0005_0006_0007_0000n],
    ["::2:3:4:5:6:7:8", 6, 0x0000_0002_0003_0004_0005_0006_0007_0008n],
    ["64:ff9b::192.0.2.1", 6, 0x0064_ff9b_0000_0000_0000_0000_c000_0201n],
    ["1:2:3:4:5:6:192.0.2.1", 6, 0x0001_0002_0003_0004_0005_0006_c000_0201n],
    ["::192.0.2.1", 6, 0xc000_0201n],
    ["::ffff:192.0.2.1", 4, 0xc000_0201n],
    ["::FFFF:c000:201", 4, 0xc000_0201n],
    ["0:0:0:0:0:ffff:127.0.0.1", 4, 0x7f00_0001n],
  ] as const)("%s", (text, family, value) => {
    expect(parseIp(text)).toEqual({ family, value });
  });

  test.each([
    "",
    " ",
    "1",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.04",
    "1.2.3.00",
    "256.1.1.1",
    "1.2.3.-4",
    "+1.2.3.4",
    "1.2.3.4 ",
    " 1.2.3.4",
    "1.2.3.4\n",
    "0x7f.0.0.1",
    "2130706433",
    "1.2.3.",
    ".1.2.3",
    "1..2.3",
    "１.2.3.4",
    "1.2.3.4/32",
    "127.0.0.1%lo",
    ":",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "::1::",
    "1::2::3",
    "1:2:3:4:5:6:7:8::",
    "::1:2:3:4:5:6:7:8",
    "12345::",
    "g::",
    "fe80::1%eth0",
    "[::1]",
    "::1 ",
    "::ffff:1.2.3",
    "::ffff:1.2.3.04",
    "::1.2.3.4:5",
    "1.2.3.4::",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    "::0x1",
    "::-1",
    "0".repeat(100),
  ])("refuses %j", (text) => {
    expect(parseIp(text)).toBeUndefined();
  });

  test("reads no text that Node's own reading refuses, and every one without a zone that it takes", () => {
    const part = fc.constantFrom("0", "1", "9", "255", "256", "01", "ffff", "a", "g", "", "10");
    const text = fc
      .array(fc.tuple(part, fc.constantFrom(":", ".", "::", "%")), { maxLength: 9 })
      .map((pairs) => pairs.flat().join("").slice(0, -1));
    fc.assert(
      fc.property(fc.oneof(text, fc.ipV4(), fc.ipV6(), fc.string({ maxLength: 12 })), (candidate) => {
        expect(parseIp(candidate) !== undefined).toBe(isIP(candidate) !== 0 && !candidate.includes("%"));
      }),
      { numRuns: 2000 },
    );
  });
});

describe("parseCidr", () => {
  const range = (text: string): IpRange => parseCidr(text) as IpRange;

  test.each([
    ["10.0.0.0/8", "10.255.255.255", true],
    ["10.0.0.0/8", "11.0.0.0", false],
    ["10.9.9.9/8", "10.0.0.0", true],
    ["192.0.2.7", "192.0.2.7", true],
    ["192.0.2.7", "192.0.2.8", false],
    ["192.0.2.7/32", "192.0.2.8", false],
    ["192.0.2.6/31", "192.0.2.7", true],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "::1", false],
    ["::/0", "::1", true],
    ["::/0", "::ffff:192.0.2.1", false],
    ["::ffff:10.0.0.0/104", "10.1.1.1", true],
    ["::ffff:10.0.0.0/104", "11.1.1.1", false],
    ["::ffff:0:0/96", "198.51.100.1", true],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::", false],
    ["2001:db8::1", "2001:db8::1", true],
    ["2001:db8::/127", "2001:db8::1", true],
  ])("%s and %s: %s", (cidr, ip, expected) => {
    expect(contains(range(cidr), parseIp(ip) as never)).toBe(expected);
  });

  test.each([
    "",
    "/",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0.0/+8",
    "10.0.0.0/8 ",
    "10.0.0.0/255.0.0.0",
    "10.0.0/8",
    "::/129",
    "::1%a/128",
    "10.0.0.0/8/8",
    "10.0.0.0/-1",
    "10.0.0.0/1e1",
    "*",
  ])("refuses %j", (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });

  test("a range is inside another by all of its addresses", () => {
    expect(isRangeInside(range("10.1.0.0/16"), range("10.0.0.0/8"))).toBe(true);
    expect(isRangeInside(range("10.0.0.0/8"), range("10.0.0.0/8"))).toBe(true);
    expect(isRangeInside(range("10.0.0.0/7"), range("10.0.0.0/8"))).toBe(false);
    expect(isRangeInside(range("::/1"), range("0.0.0.0/0"))).toBe(false);
  });
});

describe("specialRangeOf", () => {
  test.each([
    ["0.0.0.0", "this network"],
    ["0.1.2.3", "this network"],
    ["10.0.0.1", "private"],
    ["100.64.0.1", "carrier-grade NAT"],
    ["100.127.255.255", "carrier-grade NAT"],
    ["127.0.0.1", "loopback"],
    ["127.255.255.255", "loopback"],
    ["169.254.169.254", "link-local"],
    ["172.16.0.1", "private"],
    ["172.31.255.255", "private"],
    ["192.0.0.8", "IETF protocol assignments"],
    ["192.0.2.1", "documentation"],
    ["192.88.99.1", "6to4 relay"],
    ["192.168.1.1", "private"],
    ["198.18.0.1", "benchmarking"],
    ["198.19.255.255", "benchmarking"],
    ["198.51.100.1", "documentation"],
    ["203.0.113.1", "documentation"],
    ["224.0.0.1", "multicast"],
    ["239.255.255.255", "multicast"],
    ["240.0.0.1", "reserved"],
    ["255.255.255.255", "broadcast"],
    ["::", "unspecified"],
    ["::1", "loopback"],
    ["::7f00:1", "IPv4-compatible"],
    ["::ffff:127.0.0.1", "loopback"],
    ["::ffff:10.0.0.1", "private"],
    ["64:ff9b::7f00:1", "NAT64"],
    ["64:ff9b:1::1", "local NAT64"],
    ["100::1", "discard"],
    ["2001::1", "Teredo"],
    ["2001:2::1", "benchmarking"],
    ["2001:1::1", "IETF protocol assignments"],
    ["2001:20::1", "ORCHIDv2"],
    ["2001:db8::1", "documentation"],
    ["2002:7f00:1::", "6to4"],
    ["3fff::1", "documentation"],
    ["5f00::1", "segment routing"],
    ["fc00::1", "unique local"],
    ["fd12:3456::1", "unique local"],
    ["fe80::1", "link-local"],
    ["febf::1", "link-local"],
    ["fec0::1", "site-local"],
    ["ff02::1", "multicast"],
    ["1234::1", "reserved"],
    ["4000::1", "reserved"],
    ["e000::1", "reserved"],
  ])("%s is %s", (text, name) => {
    expect(specialRangeOf(parseIp(text) as never)?.name).toBe(name);
  });

  test.each([
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "2001:200::1",
    "2606:4700::1",
    "2a00::1",
    "3ffe::1",
  ])("%s is an ordinary address", (text) => {
    expect(specialRangeOf(parseIp(text) as never)).toBeUndefined();
  });
});
