/** Which addresses a webhook may point at. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { type Address, isLoopback, isPublic, listAddresses } from "../../../samples/sendit/addresses.ts";

const as = (address: string): Address => ({ address, family: address.includes(":") ? 6 : 4 });

test.each(["1.1.1.1", "93.184.215.14", "172.15.255.255", "172.32.0.0", "100.63.255.255", "2606:4700::1111", "2a00:1450:4001::1"])(
  "%s is public",
  (address) => {
    expect([isPublic(as(address)), isLoopback(as(address))]).toEqual([true, false]);
  },
);

test.each([
  "0.0.0.0",
  "10.1.2.3",
  "100.64.0.1",
  "127.0.0.1",
  "169.254.169.254",
  "172.16.0.1",
  "192.0.2.1",
  "192.168.1.1",
  "198.18.0.1",
  "224.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::ffff:127.0.0.1",
  "::ffff:10.0.0.1",
  "::ffff:1.1.1.1",
  "64:ff9b::a00:1",
  "fe80::1",
  "fc00::1",
  "ff02::1",
  "2001::1",
  "2001:db8::1",
  "2002:a00:1::",
  "3fff::1",
  "5f00::1",
])("%s is not", (address) => {
  expect(isPublic(as(address))).toBe(false);
});

test("127.0.0.0/8 and ::1 are this machine, and never public", () => {
  fc.assert(
    fc.property(fc.nat(255), fc.nat(255), fc.nat(255), (b, c, d) => {
      const one = as(`127.${b}.${c}.${d}`);
      expect([isLoopback(one), isPublic(one)]).toEqual([true, false]);
    }),
  );
  expect(isLoopback(as("::1"))).toBe(true);
  expect(isLoopback(as("::2"))).toBe(false);
});

test("a literal is taken as it is, a name is looked up", async () => {
  const resolve = async (host: string): Promise<Address[]> => [as(host === "two.example" ? "1.1.1.1" : "127.0.0.1")];
  expect(await listAddresses("[::1]", resolve)).toEqual([as("::1")]);
  expect(await listAddresses("10.0.0.1", resolve)).toEqual([as("10.0.0.1")]);
  expect(await listAddresses("two.example", resolve)).toEqual([as("1.1.1.1")]);
});
