/** What of a configuration may be shown, read from the environment, or copied: never a credential. */
import { describe, expect, it } from "vitest";
import { hideArguments, hideValue, SecretNames } from "../../src/scan/init/secret-names.ts";
import { expandReferences, toOwnReferences } from "../../src/scan/references.ts";
import { showCommand, showUrl } from "../../src/scan/show-server.ts";

const ENV = { A: "va", EMPTY: "", B: "$A" };

describe("references", () => {
  it.each([
    ["${A}", false, "va", []],
    ["${env:A}-{env:A}", false, "va-va", []],
    ["${EMPTY:-d} ${NONE:-}", false, "d ", []],
    ["$A", false, "$A", []],
    ["$A", true, "va", []],
    ["${B}", true, "$A", []],
    ["${NONE}", false, "", ["the variable `NONE`"]],
    ["${input:key}", false, "${input:key}", ["something that only the client knows"]],
    ["$(echo x)", true, "$(echo x)", ["something that only the client knows"]],
  ])("%s reads as %s", (text, bare, expected, missing) => {
    const read = expandReferences(text, ENV, bare);
    expect(read).toMatchObject({ text: expected, missing });
  });

  it("are written in the gateway's own spelling, with a literal one escaped", () => {
    expect(toOwnReferences("Bearer ${env:A}", false)?.text).toBe("Bearer ${A}");
    expect(toOwnReferences("{env:A}/$B", true)?.text).toBe("${A}/${B}");
    expect(toOwnReferences("${A:-x} ${!}", false)?.text).toBe("${A:-x} $${!}");
    expect(toOwnReferences("${input:x}", false)).toBeUndefined();
  });
});

const SECRETS = [
  "sk-proj-abc123def456",
  "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
  "hunter2hunter2X!",
  "deadbeefdeadbeef0123456789abcdef",
  "eyJhbGciOiJIUzI1NiJ9.e30.x",
];

describe("what is shown", () => {
  it.each(SECRETS)("hides %s wherever it stands", (secret) => {
    for (const args of [
      ["--api-key", secret],
      [`--api-key=${secret}`],
      [secret],
      ["-H", `Authorization: Bearer ${secret}`],
      [`postgres://u:${secret}@host/db`],
    ]) {
      expect(showCommand("npx", ["-y", "server", ...args])).not.toContain(secret);
      const names = new SecretNames();
      const hidden = hideArguments(args, { names, prefix: "x", bare: false, of: "of x" });
      expect(JSON.stringify([hidden, names.told])).not.toContain(secret);
    }
    expect(showUrl(`https://h.example/mcp/${secret}?k=${secret}`)).not.toContain(secret);
    expect(hideValue("Authorization", `Bearer ${secret}`, { names: new SecretNames(), prefix: "x", bare: false, of: "" })).not.toContain(
      secret,
    );
    expect(hideValue("PLAIN", secret, { names: new SecretNames(), prefix: "x", bare: false, of: "" })).not.toContain(secret);
  });

  it("a short word behind a flag of secrets is one too", () => {
    expect(showCommand("x", ["--password", "abc", "--port", "80"])).toBe("x --password … --port 80");
  });

  it("shows what is plain", () => {
    const args = ["-y", "@modelcontextprotocol/server-filesystem@2025.8.21", "/srv/docs", "--port=8080", "node_modules/@a/b/index.js"];
    expect(showCommand("npx", args)).toBe(`npx ${args.join(" ")}`);
    expect(showUrl("https://mcp.example.com/v1/mcp")).toBe("https://mcp.example.com/v1/mcp");
  });

  it("is decided in time, whatever the text", () => {
    expect(showCommand("x", ["1".repeat(100_000), `a${"-1".repeat(50_000)}!`, "a".repeat(119)])).toContain("x … …");
  });

  it("gives equal values one name and others another", () => {
    const names = new SecretNames();
    const hide = (prefix: string, value: string): string => hideValue("API_KEY", value, { names, prefix, bare: false, of: `of ${prefix}` });
    expect([hide("one", "k-1111-aaaa"), hide("two", "k-2222-bbbb"), hide("three", "k-1111-aaaa"), hide("two", "k-3333")]).toEqual([
      "${API_KEY}",
      "${TWO_API_KEY}",
      "${API_KEY}",
      "${TWO_API_KEY_2}",
    ]);
  });
});
