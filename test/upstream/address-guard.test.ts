import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FailureError } from "../../src/kernel/failure.ts";
import { createAddressGuard, type PinnedAddress, type ResolveName } from "../../src/upstream/address-guard.ts";

const NO_NAMES: ResolveName = () => Promise.reject(new Error("no such name"));

function guardOf(allow: readonly string[], answers: Readonly<Record<string, readonly string[]>> = {}) {
  const resolve: ResolveName = (name) =>
    Object.hasOwn(answers, name) ? Promise.resolve(answers[name] as readonly string[]) : NO_NAMES(name);
  return createAddressGuard({ allow, resolve });
}

/** The addresses to connect to, or the code of the refusal. */
async function judge(host: string, allow: readonly string[] = [], answers: Readonly<Record<string, readonly string[]>> = {}) {
  const judged = await guardOf(allow, answers).judgeHost(host);
  return judged.ok ? judged.value.map((pinned: PinnedAddress) => pinned.address) : judged.failures[0]?.code;
}

describe("addresses", () => {
  test.each([
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "017700000001",
    "127.0.0.1.",
    "１２７.0.0.1",
    "127。0。0。1",
    "127.0.0.%31",
    "0",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.1.1",
    "169.254.169.254",
    "0xa9fea9fe",
    "168.63.129.16",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::ffff:0:127.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b::8.8.8.8]",
    "[2002:7f00:1::]",
    "[2001:0:1::1]",
    "[fe80::1]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[fec0::1]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[fe80::1%25eth0]",
    "fe80::1%eth0",
    "1.2.3.4.5",
    "1.2.3.256",
    "",
    "a/b",
    "a@b",
    "a:80",
    "[::1]:80",
    "8.8.8.8:80",
    "[8.8.8.8]",
    "8.8.8.8]",
  ])("%s is refused where nothing is listed", async (host) => {
    expect(await judge(host)).toBe("address_refused");
  });

  test.each([
    ["8.8.8.8", "8.8.8.8"],
    ["0x08080808", "8.8.8.8"],
    ["[2606:4700::1111]", "2606:4700:0:0:0:0:0:1111"],
    ["2606:4700::1111", "2606:4700:0:0:0:0:0:1111"],
    ["[::ffff:8.8.8.8]", "8.8.8.8"],
    ["172.15.255.255", "172.15.255.255"],
    ["172.32.0.0", "172.32.0.0"],
  ])("%s is public", async (host, address) => {
    expect(await judge(host)).toEqual([address]);
  });

  test.each([
    ["127.0.0.1", "127.0.0.1/32"],
    ["127.0.0.1", "127.0.0.1"],
    ["2130706433", "127.0.0.0/8"],
    ["[::ffff:127.0.0.1]", "127.0.0.1/32"],
    ["127.0.0.1", "::ffff:127.0.0.1/128"],
    ["[::1]", "::1/128"],
    ["10.9.8.7", "10.0.0.0/8"],
    ["[fd12::1]", "fd00::/8"],
    ["169.254.169.254", "169.254.169.254/32"],
    ["[64:ff9b::8.8.8.8]", "64:ff9b::/96"],
    ["10.0.0.1", "0.0.0.0/0"],
  ])("%s is opened by %s", async (host, range) => {
    expect(await judge(host, [range])).toHaveLength(1);
  });

  test.each([
    ["127.0.0.2", ["127.0.0.1/32"]],
    ["0.0.0.0", ["127.0.0.1/32"]],
    ["[::1]", ["127.0.0.0/8"]],
    ["169.254.169.254", ["169.254.0.0/16"]],
    ["169.254.169.254", ["0.0.0.0/0"]],
    ["168.63.129.16", ["168.63.0.0/16"]],
    ["[fd00:ec2::254]", ["fd00::/8"]],
    ["[64:ff9b::127.0.0.1]", ["64:ff9b::/96"]],
    ["[64:ff9b::169.254.169.254]", ["::/0"]],
    ["[2002:a00:1::]", ["2002::/16"]],
    ["[::127.0.0.1]", ["::/96"]],
  ])("%s is not opened by %j", async (host, allow) => {
    expect(await judge(host, allow)).toBe("address_refused");
  });

  test("a range that can't be read opens nothing: there is no guard", () => {
    for (const range of ["10.0.0.0/33", "ten", "", "127.1", "10.0.0.0/8 "]) expect(() => guardOf([range])).toThrow(FailureError);
  });
});

describe("names", () => {
  const answers = {
    "public.example": ["93.184.216.34", "2606:4700::1111"],
    "private.example": ["10.0.0.7"],
    "mixed.example": ["93.184.216.34", "10.0.0.7"],
    "mapped.example": ["::ffff:10.0.0.7"],
    "metadata.example": ["169.254.169.254"],
    "odd.example": ["93.184.216.34", "not an address"],
    "zone.example": ["fe80::1%eth0"],
    "empty.example": [],
    "many.example": Array.from({ length: 65 }, (_, index) => `93.184.216.${index}`),
    localhost: ["::1", "127.0.0.1"],
    "app.localhost": ["127.0.0.1", "93.184.216.34"],
    "strange.localhost": ["127.0.0.1", "10.0.0.7"],
    "xn--mnchen-3ya.example": ["93.184.216.34"],
  };

  test("may be used where every address may", async () => {
    expect(await judge("public.example", [], answers)).toEqual(["93.184.216.34", "2606:4700:0:0:0:0:0:1111"]);
    expect(await judge("PUBLIC.example", [], answers)).toHaveLength(2);
    expect(await judge("münchen.example", [], answers)).toHaveLength(1);
    expect(await judge("private.example", ["10.0.0.0/8"], answers)).toEqual(["10.0.0.7"]);
    expect(await judge("mapped.example", ["10.0.0.0/8"], answers)).toEqual(["10.0.0.7"]);
  });

  test.each(["private", "mixed", "mapped", "metadata", "odd", "zone", "empty", "many"])("%s.example is refused", async (name) => {
    expect(await judge(`${name}.example`, [], answers)).toBe("address_refused");
  });

  test("a metadata service behind a name stays closed when its range is listed", async () => {
    expect(await judge("metadata.example", ["169.254.0.0/16"], answers)).toBe("address_refused");
  });

  test("localhost uses those of its own addresses that are listed, and has no others", async () => {
    expect(await judge("localhost", ["127.0.0.1/32"], answers)).toEqual(["127.0.0.1"]);
    expect(await judge("localhost", ["127.0.0.0/8", "::1"], answers)).toHaveLength(2);
    expect(await judge("localhost", [], answers)).toBe("address_refused");
    expect(await judge("localhost", ["10.0.0.0/8"], answers)).toBe("address_refused");
    expect(await judge("strange.localhost", ["127.0.0.1"], answers)).toBe("address_refused");
  });

  test("one that is not there, or not in time, is no refusal but a failure", async () => {
    expect(await judge("gone.example", [], answers)).toBe("upstream_unavailable");
    const slow = createAddressGuard({ allow: [], resolve: () => new Promise(() => {}), resolveTimeoutMs: 20 });
    const judged = await slow.judgeHost("slow.example");
    expect(judged.ok ? "" : judged.failures[0]?.code).toBe("upstream_unavailable");
  });
});

describe("connections", () => {
  let server: Server;
  let port: number;
  const arrived: string[] = [];

  beforeAll(async () => {
    server = createServer((request, response) => {
      arrived.push(`${request.socket.localAddress} ${request.headers.host}`);
      response.end("ok");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  /** Opens one connection and gives the address that it ended up at, or the name of the error. */
  function connect(allow: readonly string[], resolve: ResolveName, hostname: string): Promise<string> {
    const connector = createAddressGuard({ allow, resolve }).createConnector({ timeoutMs: 2_000 });
    return new Promise((settle) => {
      connector({ hostname, host: hostname, protocol: "http:", port: String(port) }, (error, socket) => {
        settle(error === null ? (socket.remoteAddress ?? "") : error.name);
        socket?.destroy();
      });
    });
  }

  test("go to the address that was judged, whatever the name resolves to next", async () => {
    let asked = 0;
    const rebinding: ResolveName = () => Promise.resolve(asked++ === 0 ? ["127.0.0.1"] : ["127.0.0.2"]);
    expect(await connect(["127.0.0.1/32"], rebinding, "rebinding.example")).toBe("127.0.0.1");
    expect(asked).toBe(1);
  });

  test("are judged each, so that a name which turns private is refused at the next", async () => {
    let asked = 0;
    const resolve: ResolveName = () => Promise.resolve(asked++ === 0 ? ["127.0.0.1"] : ["127.0.0.2"]);
    const connector = createAddressGuard({ allow: ["127.0.0.1/32"], resolve }).createConnector({ timeoutMs: 2_000 });
    const open = (): Promise<string> =>
      new Promise((settle) => {
        connector({ hostname: "turns.example", host: "turns.example", protocol: "http:", port: String(port) }, (error, socket) => {
          settle(error === null ? (socket.remoteAddress ?? "") : error.name);
          socket?.destroy();
        });
      });
    expect(await open()).toBe("127.0.0.1");
    expect(await open()).toBe("AddressRefused");
  });

  test.each(["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]", "::ffff:7f00:1"])("to %s need to be listed", async (host) => {
    const local: ResolveName = () => Promise.resolve(["127.0.0.1"]);
    expect(await connect([], local, host)).toBe("AddressRefused");
    expect(await connect(["127.0.0.1"], local, host)).toBe("127.0.0.1");
  });
});
