/** `path_under`: which paths are read, by whose rules, and what lies below a folder. */

import { posix } from "node:path";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodePath } from "../../../src/policy/operators/decode-path.ts";
import { compileOperator, judge, listFaults, nameRows } from "./judge.ts";

const FOLDERS = ["/srv/project", "/data/", "/a b"];

test.each([
  ["/srv/project", "y"],
  ["/srv/project/", "y"],
  ["/srv/project/README.md", "y"],
  ["/srv/project/a/b/c", "y"],
  ["/srv//project///a", "y"],
  ["/srv/./project/./a", "y"],
  ["/./srv/project", "y"],
  ["/.//srv/project", "y"],
  ["/data", "y"],
  ["/data/x", "y"],
  ["/a b/c", "y"],
  ["/a%20b/c", "y"],
  ["/a%2520b/c", "y"],
  ["/a\u3000b/c", "y"],
  ["/srv/pr%6fject/x", "y"],
  ["/srv/pr%256fject/x", "y"],
  ["/srv/pr%25%36%66ject/x", "y"],
  ["/srv/pr%6%66ject/x", "y"],
  ["/ｓｒｖ/project/x", "y"],
  ["/srv/project/100%", "y"],
  ["/srv/project/100%zz", "y"],
  ["/srv/project/a..b", "y"],
  ["/srv/project/...", "y"],
  ["/srv/project/..a", "y"],
  ["/srv/project/a\tb", "y"],
  ["/srv/project/a%09b", "y"],
  ["/srv/project/a;b", "y"],
  ["/srv/project/C:", "y"],
  ["/srv/project/~1", "y"],
  ["/srv/project/.hidden", "y"],
  ["/srv/project/notes….txt", "y"],
  ["/srv/project/ü", "y"],
  ["/srv/project/%c3%bc", "y"],
  ["/srv/project-old/x", "n"],
  ["/srv/projec", "n"],
  ["/srv", "n"],
  ["/", "n"],
  ["/etc/passwd", "n"],
  ["/SRV/project/x", "n"],
  ["/srv/project /x", "n"],
  ["/x/srv/project", "n"],
])("%j: %s", (path, expected) => {
  expect(judge("path_under", FOLDERS, path)).toBe(expected);
});

test.each(
  nameRows([
    "",
    " ",
    "srv/project",
    "./srv",
    "~",
    "~/x",
    " /srv/project/x",
    "file:///srv/project/x",
    "//srv/project/x",
    "///srv/project",
    "%2fsrv/project",
    "／srv/project",
    "/..",
    "/srv/project/..",
    "/srv/project/../x",
    "/srv/project/../../etc",
    "/srv/../srv/project",
    "/srv/project/..;/x",
    "/srv/project/..;a=b/x",
    "/srv/project/%2e%2e/x",
    "/srv/project/%2E./x",
    "/srv/project/.%2e/x",
    "/srv/project/%252e%252e/x",
    "/srv/project/%25252e%25252e/x",
    "/srv/project/%2%65%2e/x",
    "/srv/project/．．/x",
    "/srv/project/%EF%BC%8E%EF%BC%8E/x",
    "/srv/project/％2e％2e/x",
    "/srv/project/%EF%BC%852e%EF%BC%852e/x",
    "/srv/project/‥/x",
    "/srv/project/․․/x",
    "/srv/project/..%3b/x",
    "/srv/project/..；/x",
    "/srv/project%2fx",
    "/srv/project%2Fx",
    "/srv/project%252fx",
    "/srv/project%5cx",
    "/srv/project%5Cx",
    "/srv/project／x",
    "/srv/project＼x",
    "/srv/project%EF%BC%8Fx",
    "/srv/project/℅x",
    "/srv/project\\x",
    "\\srv\\project",
    "/srv/project/\u0000",
    "/srv/project/%00",
    "/srv/project/%2500.txt",
    "/srv/project/a\nb",
    "/srv/project/a%0ab",
    "/srv/project/%7f",
    "/srv/project/\u0085",
    "/srv/project/%c2%85",
    "/srv/project/%ff",
    "/srv/project/%c0%af",
    "/srv/project/%c0%ae%c0%ae/x",
    "/srv/project/%e2%28",
    "/srv/project/\ud800",
    `/srv/project/${"a".repeat(40_000)}`,
    "C:/srv/project",
    "C:\\srv",
  ]),
)("%s can't be judged", (_, path) => {
  expect(judge("path_under", FOLDERS, path)).toBe("?");
});

describe("Windows", () => {
  const WINDOWS = ["C:\\Work", "d:/Data/Sub/"];

  test.each([
    ["C:\\Work", "y"],
    ["c:\\work\\a.txt", "y"],
    ["C:/WORK/a.txt", "y"],
    ["C:\\Work\\.\\a\\\\b", "y"],
    ["C:\\Work/a\\b/c", "y"],
    ["D:\\data\\sub\\x", "y"],
    ["C:\\Work\\a..b", "y"],
    ["C:\\Work\\%61", "y"],
    ["C：\\Work\\a", "y"],
    ["C:\\Work\\Straße", "y"],
    ["C:\\Work\\a~b", "y"],
    ["C:\\Workshop\\a", "n"],
    ["C:\\", "n"],
    ["D:\\Data", "n"],
    ["E:\\Work\\a", "n"],
  ])("%j: %s", (path, expected) => {
    expect(judge("path_under", WINDOWS, path)).toBe(expected);
  });

  test.each(
    nameRows([
      "C:",
      "C:Work",
      "C:..\\Work",
      "\\Work\\a",
      "/Work/a",
      "\\\\server\\share",
      "//server/share",
      "\\\\?\\C:\\Work\\a",
      "\\\\.\\C:\\Work\\a",
      "\\??\\C:\\Work",
      "Work\\a",
      "C:\\Work\\a.txt:stream",
      "C:\\Work\\a::$DATA",
      "C:\\C:\\Work",
      "C:\\Work\\a.",
      "C:\\Work\\a ",
      "C:\\Work.\\a",
      "C:\\Work \\a",
      "C:\\Work\\...",
      "C:\\Work\\a%20",
      "C:\\Work\\a\u3000",
      "C:\\Work\\PROGRA~1",
      "C:\\WORK~1\\a",
      "C:\\Work\\a~2.txt",
      "C:\\Work\\..\\x",
      "C:\\Work\\../x",
      "C:\\Work\\..;\\x",
      "C:\\Work\\%2e%2e\\x",
      "C:%5cWork",
      "C:\\Work%5ca",
      "C:\\Work\\a\u0000",
    ]),
  )("%s can't be judged", (_, path) => {
    expect(judge("path_under", WINDOWS, path)).toBe("?");
  });

  test("only ASCII letters lose their case", () => {
    expect(judge("path_under", ["C:\\ÄB"], "c:\\Äb\\x")).toBe("y");
    expect(judge("path_under", ["C:\\ÄB"], "C:\\äB\\x")).toBe("n");
  });

  test("beside other folders each is judged by its own rules", () => {
    const both = ["/srv", "C:\\Work"];
    expect(judge("path_under", both, "/srv/a")).toBe("y");
    expect(judge("path_under", both, "C:\\Work\\a")).toBe("y");
    // On Windows it is somewhere on the current drive.
    expect(judge("path_under", both, "/etc/passwd")).toBe("?");
    expect(judge("path_under", both, "C:\\Windows")).toBe("?");
  });
});

test("the root holds every absolute path", () => {
  expect(judge("path_under", ["/"], "/etc/passwd")).toBe("y");
  expect(judge("path_under", ["C:\\"], "c:\\x")).toBe("y");
  expect(judge("path_under", ["/"], "etc")).toBe("?");
});

test("folders are decoded as paths are", () => {
  expect(judge("path_under", ["/a%20b"], "/a b/c")).toBe("y");
});

test.each(
  nameRows([
    "",
    "docs",
    "./docs",
    "~",
    "~/docs",
    "//srv",
    "/srv/..",
    "/srv/%2e%2e",
    "/a%2fb",
    "/a\\b",
    "/a\u0000",
    "/a\n",
    "C:",
    "C:docs",
    "C:\\a.",
    "C:\\PROGRA~1",
    "\\\\server\\share",
    "\\\\?\\C:\\x",
    "file:///srv",
  ]),
)("%s is no folder", (_, folder) => {
  expect(listFaults("path_under", ["/srv", folder, "/data"])).toEqual(["/value/1"]);
});

test("all folders that are none are told at once", () => {
  expect(listFaults("path_under", ["a", "/b", "c"])).toEqual(["/value/0", "/value/2"]);
});

const piece = fc.constantFrom(
  "/",
  "/srv",
  "/project",
  ".",
  "..",
  "%2e",
  "%25",
  "2e",
  "%",
  "2",
  "f",
  "%2f",
  "a",
  ";",
  "\\",
  "C:",
  " ",
  "．",
  "％",
  "~1",
  "\u0000",
);
const anyPath = fc.oneof(
  fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join("")),
  fc.array(piece, { maxLength: 12 }).map((pieces) => `/srv/${pieces.join("")}`),
  fc.array(piece, { maxLength: 6 }).map((pieces) => `/srv/project/${pieces.join("")}`),
  fc.string({ unit: "binary", maxLength: 20 }),
);

test("what is below a folder is below it for Node too, however often the path is decoded", () => {
  const operator = compileOperator("path_under", ["/srv/project"]);
  let accepted = 0;
  fc.assert(
    fc.property(anyPath, (text) => {
      if (operator.judge(text)?.[0] !== true) return true;
      accepted++;
      const readings = decodeAgainAndAgain(text).map((path) => posix.normalize(path));
      // A path that is only decoded further on may not name the folder yet, but it never leaves through `..`.
      return readings.every((path) => !path.split("/").includes("..")) && `${readings.at(-1)}/`.startsWith("/srv/project/");
    }),
    { numRuns: 5000 },
  );
  expect(accepted).toBeGreaterThan(20);
});

/** The text, and what it says after each decoding, until nothing changes. */
function decodeAgainAndAgain(text: string): string[] {
  const next = text.normalize("NFKC").replace(/%[0-9a-f]{2}/gi, (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16)));
  return next === text ? [text] : [text, ...decodeAgainAndAgain(next)];
}

test("decoding ends where nothing changes, and decoding that again changes nothing", () => {
  fc.assert(
    fc.property(anyPath, (text) => {
      const decoded = decodePath(text) ?? "/";
      expect(decodePath(decoded)).toBe(decoded);
    }),
    { numRuns: 2000 },
  );
});

test("deep encoding costs no more than its length", () => {
  const started = performance.now();
  expect(judge("path_under", ["/"], `/${"%25".repeat(10_000)}2e`)).toBe("y");
  expect(judge("path_under", ["/"], `/%${"25".repeat(16_000)}`)).toBe("y");
  expect(performance.now() - started).toBeLessThan(5_000);
});
