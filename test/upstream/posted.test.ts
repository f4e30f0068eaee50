/** Laws of the numbers that stand for ids and tokens, of what is masked, and of what is taken for a credential. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { isPlainValue } from "../../src/config/plain-value.ts";
import { skimAnswer } from "../../src/mcp/answer.ts";
import { writeAnswer } from "../../src/mcp/relay.ts";
import { createMask } from "../../src/upstream/channel/mask-secrets.ts";
import { type PostedRequest, readPosted, writeNumbered } from "../../src/upstream/channel/posted.ts";
import { listServerSecrets } from "../../src/upstream/server-secrets.ts";

const id = fc.oneof(fc.integer(), fc.string({ maxLength: 40 }));
const args = fc.dictionary(
  fc.string({ maxLength: 8 }).filter((key) => key !== "__proto__"),
  fc.jsonValue({ maxDepth: 2 }),
  { maxKeys: 4 },
);
const token = fc.option(fc.oneof(fc.integer(), fc.string({ maxLength: 20 })), { nil: undefined });
const envelope = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", traceparent: "00-1" };

function read(text: string): PostedRequest {
  const posted = readPosted(Buffer.from(text));
  if (posted?.kind !== "request") throw new Error(`not read as a request: ${text}`);
  return posted;
}

describe("a request under a number", () => {
  test("is the same but for id and token, keeps its arguments byte for byte, and its answer comes back under its id", () => {
    fc.assert(
      fc.property(id, args, token, fc.boolean(), fc.boolean(), fc.nat(1e9), (own, given, progressToken, isModern, isSpaced, number) => {
        const meta = { ...(isModern ? envelope : {}), ...(progressToken === undefined ? {} : { progressToken }) };
        const params = { name: "t", arguments: given, ...(Object.keys(meta).length > 0 ? { _meta: meta } : {}) };
        const message = { jsonrpc: "2.0", id: own, method: "tools/call", params };
        const text = isSpaced ? JSON.stringify(message, null, 1) : JSON.stringify(message);
        const posted = read(text);
        const written = writeNumbered(posted, number);
        if (written === undefined) throw new Error("it was not written");
        const expected = {
          ...message,
          id: number,
          params: {
            ...params,
            ...("_meta" in params ? { _meta: { ...meta, ...(progressToken === undefined ? {} : { progressToken: number }) } } : {}),
          },
        };
        // JSON has no -0: what was written is held against what was sent.
        expect(JSON.parse(written.bytes.toString())).toEqual(JSON.parse(JSON.stringify(expected)));
        expect(written.token).toBe(progressToken);
        const slice = isSpaced ? JSON.stringify(given, null, 1).replaceAll("\n", "\n  ") : JSON.stringify(given);
        expect(written.bytes.toString()).toContain(slice);
        const said = Buffer.from(`{"jsonrpc":"2.0","id":${number},"result":{}}`);
        const answer = skimAnswer(said);
        if (answer.kind !== "result") throw new Error("it is a result");
        expect(JSON.parse(writeAnswer(posted.id, answer, said).toString())).toEqual({ jsonrpc: "2.0", id: own, result: {} });
      }),
    );
  });

  test("is not fooled by what only looks like a token", () => {
    for (const inside of ['{"progressToken":5}', '"progressToken"', '{"_meta":{"progressToken":"x"}}']) {
      const text = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t","arguments":{"a":${inside}}}}`;
      expect(writeNumbered(read(text), 9)).toEqual({ bytes: Buffer.from(text.replace('"id":1', '"id":9')), token: undefined });
    }
  });

  test("is not written where it is not one strict message", () => {
    for (const text of [
      "",
      "[]",
      "{}",
      "nonsense",
      '{"jsonrpc":"2.0","id":1.5,"method":"x"}',
      '{"jsonrpc":"2.0","id":1,"id":2,"method":"x"}x',
    ]) {
      const posted = readPosted(Buffer.from(text));
      if (posted !== undefined) expect(posted.kind === "request" && writeNumbered({ ...posted, headBytes: undefined }, 1)).toBeUndefined();
    }
  });
});

describe("error output", () => {
  test("never holds a credential, however it is cut or written", () => {
    const secret = "s3cr3t-Of/The+server=1";
    const mask = createMask([secret, "line-one-of-it\nline-two-of-it"]);
    expect(mask(`a ${secret} b ${secret}`)).toBe("a [secret] b [secret]");
    expect(mask("now line-two-of-it")).toBe("now [secret]");
    expect(mask("nothing here")).toBe("nothing here");
    for (const form of [
      encodeURIComponent(secret),
      Buffer.from(`xx${secret}`).toString("base64"),
      JSON.stringify(secret).replaceAll("/", "\\/"),
    ]) {
      expect(mask(`so ${form} it is`)).toBe("[a line that held a credential]");
    }
    fc.assert(
      fc.property(fc.integer({ min: 4, max: secret.length - 1 }), (length) => {
        expect(mask(`cut ${secret.slice(0, length)} …`)).toBe("cut [secret] …");
      }),
    );
    expect(createMask([])("as it is")).toBe("as it is");
  });
});

describe("what a variable holds", () => {
  test("is a credential unless it is plainly something else", () => {
    const plain = [
      "production",
      "debug",
      "/srv/docs",
      "./notes/a b",
      "~/x",
      "C:\\data\\x",
      "8080",
      "0.5",
      "127.0.0.1:80",
      "en_US.UTF-8",
      "us-east-1",
      "Production",
      "true",
      "READ-ONLY",
      "https://api.example.com/v1",
      "",
    ];
    expect(plain.filter((text) => !isPlainValue(text))).toEqual([]);
    const telling = [
      "hunter2x",
      "ghp_abcDEF123",
      "https://a:b@example.com",
      "https://example.com/?k=v",
      "a=b",
      "c29tZXRoaW5n==",
      "postgres://u:p%40ss@h/db",
    ];
    expect(telling.filter(isPlainValue)).toEqual([]);
  });

  test("is looked for with the password inside it, and by the variable's name whatever it is", () => {
    const environment = {
      LEVEL: "production",
      DB: "postgres://u:p%40ssword@h/db",
      API_KEY: "onlywords",
      SHORT_KEY: "abc",
      URL: "https://h/?api_key=qu3ry-key",
    };
    expect(listServerSecrets({ environment }).toSorted()).toEqual(
      ["onlywords", "p%40ssword", "p@ssword", "postgres://u:p%40ssword@h/db", "https://h/?api_key=qu3ry-key", "qu3ry-key"].toSorted(),
    );
  });
});
