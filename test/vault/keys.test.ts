import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { openKeys } from "../../src/vault/keys.ts";

const folder = mkdtempSync(join(tmpdir(), "vault-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const open = (keyFile: string, create = true) => openKeys({ source: { keyFile }, create, randomBytes });
const MASTER = Buffer.alloc(32, 9).toString("base64");

describe("the master key's file", () => {
  it("is made once, whole, for its owner alone, and read ever after", async () => {
    const file = join(folder, "new", "master.key");
    const first = await open(file);
    const second = await open(file, false);
    expect(first.ok && second.ok && first.value.id === second.value.id).toBe(true);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8")).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    expect(readdirSync(join(folder, "new"))).toEqual(["master.key"]);
  });

  it("is not made unless asked for", async () => {
    const file = join(folder, "absent.key");
    expect(await open(file, false)).toMatchObject({ ok: false, failures: [{ code: "key_unusable", at: { file } }] });
    expect(readdirSync(folder)).not.toContain("absent.key");
  });

  it.each([
    ["short", Buffer.alloc(31, 1).toString("base64")],
    ["long", Buffer.alloc(33, 1).toString("base64")],
    ["hex", Buffer.alloc(32, 1).toString("hex")],
    ["two lines", `${MASTER}\n${MASTER}\n`],
    ["stray bits", `${MASTER.slice(0, 42)}l=`],
    ["words", "this is no key\n"],
    ["huge", "A".repeat(100_000)],
  ])("is refused and left alone when it is %s", async (name, text) => {
    const file = join(folder, `bad-${name}.key`);
    writeFileSync(file, text);
    const opened = await open(file);
    expect(opened).toMatchObject({ ok: false, failures: [{ code: "key_unusable", at: { file } }] });
    expect(JSON.stringify(opened)).not.toContain(text.slice(0, 20).trim());
    expect(readFileSync(file, "utf8")).toBe(text);
  });

  it("is refused when it is a folder", async () => {
    const file = join(folder, "folder.key");
    mkdirSync(file);
    expect(await open(file)).toMatchObject({ ok: false, failures: [{ code: "key_unusable" }] });
  });

  it("is one key for sixteen processes that start at once", async () => {
    const file = join(folder, "race", "master.key");
    const keys = new URL("../../src/vault/keys.ts", import.meta.url).href;
    const script = `import { randomBytes } from "node:crypto"; import { openKeys } from ${JSON.stringify(keys)};
      while (Date.now() < Number(process.argv[1])) {}
      const keys = await openKeys({ source: { keyFile: ${JSON.stringify(file)} }, create: true, randomBytes });
      console.log(keys.ok ? keys.value.id : JSON.stringify(keys.failures));`;
    const at = String(Date.now() + 1500);
    const ids = await Promise.all(
      Array.from({ length: 16 }, async () => {
        const child = spawn(process.execPath, ["--input-type=module", "-e", script, at], { stdio: ["ignore", "pipe", "inherit"] });
        let text = "";
        for await (const piece of child.stdout) text += String(piece);
        return text.trim();
      }),
    );
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^[0-9a-f]{16}$/);
    expect(readdirSync(join(folder, "race"))).toEqual(["master.key"]);
  }, 60_000);
});

describe("the master key's text", () => {
  it("is 32 bytes in base64, of either alphabet", async () => {
    const bytes = Buffer.alloc(32, 0xfb);
    const ids = await Promise.all(
      [bytes.toString("base64"), bytes.toString("base64url"), ` ${bytes.toString("base64")}\n`].map(async (masterKey) => {
        const keys = await openKeys({ source: { masterKey }, create: false, randomBytes });
        return keys.ok && keys.value.id;
      }),
    );
    expect(new Set(ids).size).toBe(1);
    for (const masterKey of ["", "abc", MASTER.slice(1), `${MASTER}A`]) {
      const keys = await openKeys({ source: { masterKey }, create: true, randomBytes });
      expect(keys).toMatchObject({ ok: false, failures: [{ code: "key_unusable" }] });
    }
  });
});

describe("subkeys", () => {
  it("are the same for the same master key and purpose, and differ otherwise", async () => {
    const from = async (masterKey: string) => {
      const keys = await openKeys({ source: { masterKey }, create: false, randomBytes });
      if (!keys.ok) throw new Error("no keys");
      return keys.value;
    };
    const keys = await from(MASTER);
    const again = await from(MASTER);
    const other = await from(Buffer.alloc(32, 10).toString("base64"));
    expect(keys.deriveKey("token")).toEqual(again.deriveKey("token"));
    expect(keys.signing.publicKey).toEqual(again.signing.publicKey);
    const all = [keys.deriveKey("token"), keys.deriveKey("argument"), other.deriveKey("token"), Buffer.from(MASTER, "base64")];
    expect(new Set(all.map((key) => key.toString("hex"))).size).toBe(4);
    expect(all.every((key) => key.length === 32)).toBe(true);
    expect(() => keys.deriveKey("../seal")).toThrow("purpose");
  });
});
