/** `host_in`: which URLs are read, and which hosts are in a list. */

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compileTextOperator } from "../../../src/policy/operators/registry.ts";
import { judge, listFaults, nameRows } from "./judge.ts";

const LIST = ["example.com", "*.example.org", "api.example.net:8443", "bücher.example", "[2001:db8::7]", "192.0.2.0/24", "8.8.8.0/24"];

test.each([
  ["https://example.com", "y"],
  ["https://example.com/", "y"],
  ["HTTP://EXAMPLE.COM/path?x=1#y", "y"],
  ["ws://example.com", "y"],
  ["wss://example.com:9/", "y"],
  ["http://example.com:8080/", "y"],
  ["https://example.com./", "y"],
  ["https://example.com../", "n"],
  ["https://example.com.evil.example/", "n"],
  ["https://www.example.com/", "n"],
  ["https://notexample.com/", "n"],
  ["https://exa%6dple.com/", "y"],
  ["https://ｅxample。com/", "y"],
  ["https://ex\u00adample.com/", "y"],
  ["https://a.example.org/", "y"],
  ["https://a.b.example.org/", "y"],
  ["https://a.b.example.org./", "y"],
  ["https://example.org/", "n"],
  ["https://.example.org/", "n"],
  ["https://evilexample.org/", "n"],
  ["https://api.example.net:8443/", "y"],
  ["https://api.example.net/", "n"],
  ["https://api.example.net:443/", "n"],
  ["https://BÜCHER.example/", "y"],
  ["https://xn--bcher-kva.example/", "y"],
  ["http://[2001:db8::7]/", "y"],
  ["http://[2001:DB8:0:0:0:0:0:7]:80/", "y"],
  ["http://[2001:db8::8]/", "n"],
  ["http://192.0.2.200/", "y"],
  ["http://[::ffff:192.0.2.200]/", "y"],
  ["http://8.8.8.8/", "y"],
  ["http://134744072/", "y"],
  ["http://0x8.8.2056/", "y"],
  ["http://8.8.8.8./", "y"],
  ["http://8.8.9.8/", "n"],
  ["http://example.com/a b", "y"],
  ["http://example.com/@evil.example", "y"],
  ["http://example.com?@evil.example", "y"],
  ["http://evil.example#@example.com", "n"],
  ["http://evil.example/http://example.com", "n"],
])("%s: %s", (url, expected) => {
  expect(judge("host_in", LIST, url)).toBe(expected);
});

test.each(
  nameRows([
    "",
    " ",
    "example.com",
    "//example.com/",
    "/path",
    "https:",
    "https://",
    "http:///",
    "ftp://example.com/",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:,x",
    "mailto:a@example.com",
    "https://user@example.com/",
    "https://user:pw@example.com/",
    "https://@example.com/",
    "https://:@example.com/",
    "https:user@example.com",
    "https://example.com@evil.example/",
    "https://evil.example%40example.com@example.com/",
    "https:\\\\example.com",
    "https://example.com\\@evil.example/",
    "https://example.com/a\\b",
    " https://example.com/",
    "https://example.com/ ",
    "https://exam\tple.com/",
    "https://exam\nple.com/",
    "\thttps://example.com/",
    "https://example.com/\r\n",
    "https://example.com/\u0000",
    "https://example.com/\u007f",
    "https://example.com/\u0085",
    "https://exa mple.com/",
    "https://example.com:99999/",
    "https://example.com:port/",
    "http://[::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://010.8.8.8/",
    "http://8.8.8.010/",
    "http://8.8.8.08/",
    "http://8.8.8.08./",
    "http://００8.8.8.8/",
    "http://%308.8.8.8/",
    "http://0\u00ad8.8.8.8/",
    "http://256.1.1.1/",
    "http://1.2.3.4.5/",
    "http://[::ffff:8.8.8.08]/",
    "https://exa<mple.com/",
    "https://\ud800.example/",
    `https://example.com/${"a".repeat(70_000)}`,
  ]),
)("%s can't be judged", (_, url) => {
  expect(judge("host_in", LIST, url)).toBe("?");
});

describe("special ranges", () => {
  test.each([
    [["0.0.0.0/0"], "http://127.0.0.1/", "n"],
    [["0.0.0.0/0"], "http://10.0.0.1/", "n"],
    [["0.0.0.0/0"], "http://169.254.169.254/", "n"],
    [["0.0.0.0/0"], "http://1.1.1.1/", "y"],
    [["8.0.0.0/5"], "http://10.0.0.1/", "n"],
    [["10.0.0.0/8"], "http://10.0.0.1/", "y"],
    [["10.1.0.0/16"], "http://10.1.2.3/", "y"],
    [["10.1.0.0/16"], "http://10.2.2.3/", "n"],
    [["127.0.0.1"], "http://127.0.0.1/", "y"],
    [["127.0.0.1"], "http://127.1/", "y"],
    [["127.0.0.1"], "http://2130706433/", "y"],
    [["127.0.0.1"], "http://0x7f.1/", "y"],
    [["127.0.0.1"], "http://１２７.0.0.1/", "y"],
    [["127.0.0.1"], "http://[::ffff:7f00:1]/", "y"],
    [["0.0.0.0/0"], "http://2130706433/", "n"],
    [["0.0.0.0/0"], "http://0x7f.1/", "n"],
    [["0.0.0.0/0", "::/0"], "http://[::ffff:127.0.0.1]/", "n"],
    [["0.0.0.0/0", "::/0"], "http://[::]/", "n"],
    [["::/0"], "http://[::1]/", "n"],
    [["::1"], "http://[::1]/", "y"],
    [["[::1]"], "http://[0:0:0:0:0:0:0:1]/", "y"],
    [["::/0"], "http://[64:ff9b::7f00:1]/", "n"],
    [["64:ff9b::/96"], "http://[64:ff9b::7f00:1]/", "y"],
    [["::/0"], "http://[2002:7f00:1::]/", "n"],
    [["::/0"], "http://[fd00::1]/", "n"],
    [["fd00::/8"], "http://[fd00::1]/", "y"],
    [["fc00::/7"], "http://[fd00::1]/", "y"],
    [["f000::/4"], "http://[fd00::1]/", "n"],
    [["::/0"], "http://[2606:4700::1]/", "y"],
    [["*.0.0.1.example"], "http://127.0.0.1/", "n"],
  ])("%j and %s: %s", (list, url, expected) => {
    expect(judge("host_in", list, url)).toBe(expected);
  });
});

describe("ports", () => {
  test.each([
    [["example.com:443"], "https://example.com/", "y"],
    [["example.com:443"], "wss://example.com/", "y"],
    [["example.com:443"], "https://example.com:443/", "y"],
    [["example.com:443"], "http://example.com:443/", "y"],
    [["example.com:443"], "http://example.com/", "n"],
    [["example.com:443"], "https://example.com:8443/", "n"],
    [["example.com:80"], "http://example.com/", "y"],
    [["example.com:80"], "ws://example.com/", "y"],
    [["example.com:80"], "https://example.com/", "n"],
    [["*.example.com:8443"], "https://a.example.com:8443/", "y"],
    [["*.example.com:8443"], "https://a.example.com/", "n"],
    [["127.0.0.1:3000"], "http://127.0.0.1:3000/", "y"],
    [["127.0.0.1:3000"], "http://127.0.0.1/", "n"],
    [["[::1]:3000"], "http://[::1]:3000/", "y"],
    [["[::1]:3000"], "http://[::1]:3001/", "n"],
    [["example.com:80", "example.com:443"], "http://example.com/", "y"],
  ])("%j and %s: %s", (list, url, expected) => {
    expect(judge("host_in", list, url)).toBe(expected);
  });
});

test("entries go through the host parser too", () => {
  for (const [entry, url] of [
    ["EXAMPLE.com.", "https://example.com/"],
    ["*.Bücher.example", "https://a.xn--bcher-kva.example/"],
    ["0x7f.1", "http://127.0.0.1/"],
    ["ex%61mple.com", "http://example.com/"],
  ] as const) {
    expect(judge("host_in", [entry], url)).toBe("y");
  }
});

test.each(
  nameRows([
    "",
    " ",
    "*",
    "*.",
    "*.*.example.com",
    "a.*.com",
    "https://example.com",
    "example.com/path",
    "user@example.com",
    "example.com:",
    "example.com:0443",
    "example.com:70000",
    "example.com:http",
    "exa mple.com",
    " example.com",
    "example.com?x",
    "example.com#x",
    "example.com\\x",
    "10.0.0.0/33",
    "10.0.0.0/8:80",
    "010.0.0.1",
    "*.10.0.0.1",
    "::1%eth0",
    "[::1",
    "[::1]x",
    "1.2.3.4.5",
    "a\tb",
  ]),
)("%s is no entry", (_, entry) => {
  expect(listFaults("host_in", ["example.com", entry])).toEqual(["/value/1"]);
});

test("a host is in the list of itself, as the WHATWG parser names it, and the judging never throws", () => {
  const url = fc.oneof(
    fc.webUrl(),
    fc.webUrl({ validSchemes: ["ws", "wss", "ftp"], withQueryParameters: true }),
    fc.string({ unit: "binary", maxLength: 40 }),
    fc.string().map((text) => `http://${text}`),
  );
  fc.assert(
    fc.property(url, (text) => {
      const host = URL.parse(text)?.hostname ?? "";
      const operator = compileTextOperator("host_in", [host], undefined);
      const judged = judge("host_in", ["never.example"], text);
      expect(["n", "?"]).toContain(judged);
      return judged === "?" || "faults" in operator || operator.operator.judge(text)?.[0] === true;
    }),
    { numRuns: 500 },
  );
});
