import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createCredentialScan } from "../../src/upstream/credential-scan.ts";
import { listServerSecrets } from "../../src/upstream/server-secrets.ts";

const SECRET = "sk-live_4f9A/b+c=0123456789";

function finds(secret: string, text: string | Buffer): boolean {
  return createCredentialScan([secret]).finds(Buffer.from(text as string));
}

const secrets = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_./+=~:%"\\ é€'), minLength: 8, maxLength: 40 });
const around = fc.string({ unit: fc.constantFrom(..."abcAB012 {}[],:é"), maxLength: 20 });

/** Each character in one of JSON's spellings, as `choices` says. */
function escapeJson(text: string, choices: readonly number[]): string {
  let out = "";
  for (let index = 0; index < text.length; index++) {
    const unit = text.charAt(index);
    const hex = text.charCodeAt(index).toString(16).padStart(4, "0");
    const choice = (choices[index % choices.length] as number) % 3;
    if (choice === 1) out += `\\u${hex}`;
    else if (choice === 2) out += `\\u${hex.toUpperCase()}`;
    else if (unit === '"' || unit === "\\" || (unit === "/" && choice === 0)) out += `\\${unit}`;
    else out += unit;
  }
  return out;
}

function escapePercent(text: string, choices: readonly number[]): string {
  return [...Buffer.from(text)]
    .map((byte, index) => {
      const plain = byte < 0x80 && byte !== 0x25 && (choices[index % choices.length] as number) % 2 === 0;
      return plain ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, "0")}`;
    })
    .join("");
}

const choices = fc.array(fc.nat(5), { minLength: 1, maxLength: 12 });

describe("a credential is found", () => {
  test("as it is, wherever it stands", () => {
    fc.assert(
      fc.property(secrets, around, around, (secret, before, after) => {
        expect(finds(secret, before + secret + after)).toBe(true);
      }),
    );
  });

  test("with any of its characters JSON-escaped, in every spelling", () => {
    fc.assert(
      fc.property(secrets, around, choices, (secret, before, picked) => {
        const escaped = escapeJson(secret, picked);
        expect(JSON.parse(`"${escaped}"`)).toBe(secret);
        expect(finds(secret, `{"text":"${before.replaceAll('"', "")}${escaped}"}`)).toBe(true);
      }),
    );
  });

  test("JSON-escaped once more, as in a result whose text is JSON", () => {
    fc.assert(
      fc.property(secrets, choices, choices, (secret, first, second) => {
        expect(finds(secret, escapeJson(`"${escapeJson(secret, first)}"`, second))).toBe(true);
      }),
    );
  });

  test("percent-encoded, wholly or in part", () => {
    fc.assert(
      fc.property(secrets, around, choices, (secret, before, picked) => {
        expect(finds(secret, before + escapePercent(secret, picked))).toBe(true);
      }),
    );
  });

  test("percent-encoded within JSON's escapes and the other way round", () => {
    expect(finds(SECRET, escapeJson(escapePercent(SECRET, [1, 0]), [1, 2, 0]))).toBe(true);
    expect(finds(SECRET, escapePercent(escapeJson(SECRET, [1, 2, 0]), [1, 0, 1]))).toBe(true);
  });

  test("in base64 at every alignment, in both alphabets, padded or not", () => {
    fc.assert(
      fc.property(
        secrets,
        fc.uint8Array({ maxLength: 8 }),
        fc.uint8Array({ maxLength: 8 }),
        fc.boolean(),
        (secret, before, after, urlSafe) => {
          const bytes = Buffer.concat([before, Buffer.from(secret), after]);
          expect(finds(secret, bytes.toString(urlSafe ? "base64url" : "base64"))).toBe(true);
        },
      ),
    );
  });

  test("in base64 that is wrapped, inside of a JSON text or not", () => {
    const long = "token-".repeat(30);
    const wrapped = (
      Buffer.from(`KEY=${long}`)
        .toString("base64")
        .match(/.{1,76}/g) ?? []
    ).join("\n");
    expect(wrapped).toContain("\n");
    expect(finds(long, wrapped)).toBe(true);
    expect(finds(long, wrapped.replaceAll("\n", "\r\n"))).toBe(true);
    expect(finds(long, JSON.stringify({ text: wrapped }))).toBe(true);
  });

  test("in base64 whose slashes are JSON-escaped or percent-encoded", () => {
    const encoded = Buffer.from("\xff\xff\xff\xfe~~~???>>>", "latin1").toString("base64");
    const secret = Buffer.from(encoded, "base64").toString("latin1");
    expect(encoded).toMatch(/[/+]/);
    expect(finds(secret, encoded.replaceAll("/", "\\/"))).toBe(true);
    expect(finds(secret, encodeURIComponent(encoded))).toBe(true);
  });
});

describe("nothing else is found", () => {
  test("in texts that hold only a part of it", () => {
    for (let cut = 1; cut < SECRET.length; cut++) {
      expect(finds(SECRET, `{"a":"${SECRET.slice(0, cut)} ${SECRET.slice(cut)}"}`)).toBe(false);
    }
  });

  test("for a secret that is too short to tell from words", () => {
    const scan = createCredentialScan(["words"]);
    expect(scan.isEmpty).toBe(true);
    expect(scan.finds(Buffer.from("a few words"))).toBe(false);
  });

  test("in escapes that are cut off or are none", () => {
    for (const text of ["\\", "\\u", "\\u00", "\\u00zz", "%", "%4", "%zz", "\\\\\\", "a\nb"]) expect(finds(SECRET, text)).toBe(false);
  });

  test("and hostile nesting takes a bounded time", () => {
    const before = process.cpuUsage();
    expect(finds(SECRET, "\\u005c%5c".repeat(100_000))).toBe(false);
    expect(finds(SECRET, Buffer.alloc(1_000_000, "\\"))).toBe(false);
    expect(finds(SECRET, Buffer.alloc(1_000_000, "%25"))).toBe(false);
    // Linear, it takes some 100 ms; anything worse takes minutes.
    expect(process.cpuUsage(before).user).toBeLessThan(5_000_000);
  });
});

describe("secrets of a server's configuration", () => {
  const ofHeaders = (headers: Record<string, string>) => listServerSecrets({ headers });

  test("are header values without their scheme, the pair of a Basic one and its password, and cookies", () => {
    expect(ofHeaders({ Authorization: "Bearer abcdefgh1234", "X-Api-Key": "kkkkkkkk", Accept: "application/json" })).toEqual([
      "abcdefgh1234",
      "kkkkkkkk",
    ]);
    const basic = Buffer.from("user:pa:ssword1").toString("base64");
    expect(ofHeaders({ authorization: `Basic ${basic}` })).toEqual([basic, "user:pa:ssword1", "pa:ssword1"]);
    expect(ofHeaders({ Cookie: "a=1; sid=0123456789" })).toEqual(["a=1; sid=0123456789", "0123456789"]);
  });

  test("leave out what is too short or plain", () => {
    expect(ofHeaders({ "X-Version": "1", "User-Agent": "something long enough" })).toEqual([]);
  });

  test("are query values and variables whose names say so", () => {
    expect(listServerSecrets({ url: "https://example.com/mcp?api_key=0123456789&page=aaaaaaaaaaaa" })).toEqual(["0123456789"]);
    const environment = { GITHUB_TOKEN: "ghp_0123456789", HOME_PAGE: "https://example.com" };
    expect(listServerSecrets({ environment })).toEqual(["ghp_0123456789"]);
  });
});
