import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { peekAnswerId } from "../../src/mcp/answer.ts";
import { SSE_KEEP_ALIVE, type SseItem, SseParser, writeSseEvent } from "../../src/mcp/sse.ts";
import { type LineItem, LineReader, writeLine } from "../../src/mcp/stdio.ts";
import { cutAt, text } from "./support.ts";

function parse(pieces: readonly Uint8Array[], limit?: number): { items: unknown[]; parser: SseParser } {
  const parser = new SseParser(limit);
  return { items: pieces.flatMap((piece) => [...parser.push(piece)]).map(plain), parser };
}

function plain(item: SseItem | LineItem): unknown {
  if (item.kind === "event") return { ...item, data: Buffer.from(item.data).toString() };
  if (item.kind === "line") return { kind: "line", bytes: Buffer.from(item.bytes).toString() };
  return item.kind === "overlong" ? { kind: "overlong", head: Buffer.from(item.head).toString() } : item;
}

function event(data: string, more: object = {}): object {
  return { kind: "event", event: "message", data, id: undefined, ...more };
}

describe("server-sent events", () => {
  it.each<[string, string, object[]]>([
    ["line feeds", "data: a\n\ndata: b\n\n", [event("a"), event("b")]],
    ["carriage returns", "data: a\r\rdata: b\r\r", [event("a"), event("b")]],
    ["both", "data: a\r\n\r\ndata: b\r\n\r\n", [event("a"), event("b")]],
    ["a mixture", "data: a\r\n\ndata: b\r\r\n", [event("a"), event("b")]],
    ["a byte order mark", "\ufeffdata: a\n\n", [event("a")]],
    ["a mark that is not the first", "data: a\n\n\ufeffdata: b\n\n", [event("a")]],
    ["several data lines", "data: a\ndata: b\ndata\ndata:c\n\n", [event("a\nb\n\nc")]],
    ["an empty first line", "data\ndata: x\n\n", [event("\nx")]],
    ["comments", ": hi\n\n:\ndata: a\n: x\n\n", [event("a")]],
    ["names and ids", "event: e\nid: 1\ndata: a\n\ndata: b\n\n", [event("a", { event: "e", id: "1" }), event("b")]],
    ["one blank less", "data:  a\n\n", [event(" a")]],
    ["an unknown field", "datax: a\nfoo: b\ndata: c\n\n", [event("c")]],
    ["an event without data", "event: e\nid: 3\n\n", []],
    ["data that is empty", "id: 3\ndata:\n\n", [event("", { id: "3" })]],
    ["an unfinished one", "data: a\n", []],
  ])("%s", (_name, stream, items) => {
    expect(parse([Buffer.from(stream)]).items).toEqual(items);
  });

  it("ids and waits are kept, an id with NUL is not", () => {
    const { parser } = parse([Buffer.from("retry: 1500\nid: 7\ndata: a\n\nid: x\u0000y\nretry: soon\ndata: b\n\n")]);
    expect(parser.lastEventId).toBe("7");
    expect(parser.retryMs).toBe(1500);
    expect(parser.isCut).toBe(false);
    expect(parse([Buffer.from("id: 1\n\nid\ndata: a\n\n")]).parser.lastEventId).toBe("");
  });

  it("an event over the bound is reported with its beginning, and the stream goes on", () => {
    const big = `{"jsonrpc":"2.0","id":7,"result":{"a":"${"x".repeat(500)}"}}`;
    for (const stream of [
      `data: ${big}\n\n`,
      `event: message\ndata: ${big.slice(0, 60)}\ndata: ${big.slice(60)}\n\n`,
      `data: ${big}\nid: 4\n\n`,
    ]) {
      const bytes = Buffer.from(`data: a\n\n${stream}data: b\n\n`);
      for (const pieces of [[bytes], [...bytes].map((byte) => Uint8Array.of(byte))]) {
        const { items } = parse(pieces, 100);
        expect(items).toMatchObject([event("a"), { kind: "overlong" }, event("b")]);
        expect(peekAnswerId(Buffer.from((items[1] as { head: string }).head))?.value).toBe(7);
      }
    }
  });

  it("an event of exactly the bound passes", () => {
    expect(parse([Buffer.from(`data: ${"x".repeat(94)}\n\n`)], 100).items).toHaveLength(1);
    expect(parse([Buffer.from(`data: ${"x".repeat(95)}\n\n`)], 100).items).toMatchObject([{ kind: "overlong" }]);
  });

  it("a stream that ends inside an event says so", () => {
    expect(parse([Buffer.from("data: a\n\n")]).parser.isCut).toBe(false);
    expect(parse([Buffer.from("data: a")]).parser.isCut).toBe(true);
    expect(parse([Buffer.from("data: a\n")]).parser.isCut).toBe(true);
    expect(parse([Buffer.from(`data: ${"x".repeat(50)}`)], 10).parser.isCut).toBe(true);
  });

  const stream = fc
    .array(fc.oneof(fc.constantFrom("\n", "\r", "\r\n", "data: ", "data", ":", "id: 1", "event: e", "retry: 5", "\u0000", " "), text), {
      maxLength: 30,
    })
    .map((parts) => Buffer.from(parts.join("")));

  it("law: the pieces in which a stream comes make no difference", () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        stream,
        fc.array(fc.nat(), { maxLength: 8 }),
        fc.constantFrom(undefined, 12),
        (marked, body, cuts, limit) => {
          const bytes = marked ? Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), body]) : body;
          const whole = parse([bytes], limit);
          for (const pieces of [cutAt(bytes, cuts), [...bytes].map((byte) => Uint8Array.of(byte))]) {
            const cut = parse(pieces, limit);
            expect(cut.items).toEqual(whole.items);
            expect([cut.parser.lastEventId, cut.parser.retryMs, cut.parser.isCut]).toEqual([
              whole.parser.lastEventId,
              whole.parser.retryMs,
              whole.parser.isCut,
            ]);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it("law: what is written is read", () => {
    fc.assert(
      fc.property(text, fc.option(fc.constantFrom("e1", "é"), { nil: undefined }), (data, id) => {
        const bytes = Buffer.concat([
          writeSseEvent({ data, event: "message", id }),
          SSE_KEEP_ALIVE,
          writeSseEvent({ data: Buffer.from("z") }),
        ]);
        expect(parse([bytes]).items).toEqual([event(data.replaceAll(/\r\n|\r/g, "\n"), { id }), event("z")]);
      }),
    );
  });

  it("a message with white space of every kind stays one event of the same value", () => {
    const { items } = parse([writeSseEvent({ data: '{\r\n"a":\r1,\n"b":2}', retryMs: 3 })]);
    expect(items).toHaveLength(1);
    expect(JSON.parse((items[0] as { data: string }).data)).toEqual({ a: 1, b: 2 });
  });

  it("a field with a line break is a bug", () => {
    expect(() => writeSseEvent({ data: "x", event: "a\nb" })).toThrow("one line");
    expect(() => writeSseEvent({ data: "x", id: "a\rb" })).toThrow("one line");
  });
});

describe("lines", () => {
  const lines = (pieces: readonly Uint8Array[], limit?: number): unknown[] => {
    const reader = new LineReader(limit);
    return [...pieces.flatMap((piece) => [...reader.push(piece)]), ...reader.end()].map(plain);
  };
  const line = (bytes: string): object => ({ kind: "line", bytes });

  it.each<[string, string, object[]]>([
    ["one a line", "{}\n[]\n", [line("{}"), line("[]")]],
    ["an end as Windows writes it", "{}\r\n", [line("{}")]],
    ["blank lines", "\n \t\n\r\n{}\n", [line("{}")]],
    ["a last line without an end", "{}\n{1", [line("{}"), line("{1")]],
    [
      "a carriage return inside",
      '{"a":1}\r{"b":2}\n{}\n',
      [{ kind: "invalid", reason: "a carriage return stands in the line" }, line("{}")],
    ],
    ["two carriage returns at the end", "{}\r\r\n", [{ kind: "invalid", reason: "a carriage return stands in the line" }]],
    ["other separators", "a\u2028b\u0085c\u000bd\n", [line("a\u2028b\u0085c\u000bd")]],
  ])("%s", (_name, stream, items) => {
    expect(lines([Buffer.from(stream)])).toEqual(items);
  });

  it("a line over the bound is reported with its beginning, and the connection lives on", () => {
    const big = `{"jsonrpc":"2.0","id":"q","result":"${"x".repeat(500)}"}`;
    const bytes = Buffer.from(`{}\n${big}\n[]\n${big}`);
    for (const pieces of [[bytes], [...bytes].map((byte) => Uint8Array.of(byte))]) {
      const items = lines(pieces, 100);
      expect(items).toMatchObject([line("{}"), { kind: "overlong" }, line("[]"), { kind: "overlong" }]);
      expect(peekAnswerId(Buffer.from((items[1] as { head: string }).head))?.value).toBe("q");
    }
    expect(lines([Buffer.from(`${"x".repeat(100)}\n`)], 100)).toMatchObject([{ kind: "line" }]);
    expect(lines([Buffer.from(`${"x".repeat(101)}\n`)], 100)).toMatchObject([{ kind: "overlong" }]);
  });

  it("law: the pieces in which lines come make no difference", () => {
    const parts = fc.array(fc.oneof(fc.constantFrom("\n", "\r", "\r\n", "{}", " "), text), { maxLength: 20 });
    fc.assert(
      fc.property(parts, fc.array(fc.nat(), { maxLength: 6 }), fc.constantFrom(undefined, 6), (body, cuts, limit) => {
        const bytes = Buffer.from(body.join(""));
        const whole = lines([bytes], limit);
        expect(lines(cutAt(bytes, cuts), limit).map(withoutHead)).toEqual(whole.map(withoutHead));
        expect(
          lines(
            [...bytes].map((byte) => Uint8Array.of(byte)),
            limit,
          ).map(withoutHead),
        ).toEqual(whole.map(withoutHead));
      }),
      { numRuns: 300 },
    );
  });

  it("a message becomes exactly one line of the same value", () => {
    const written = writeLine(Buffer.from('{\r\n"a" :\n"x\\n"}'));
    expect(written.toString()).toBe('{  "a" : "x\\n"}\n');
    expect(lines([written])).toHaveLength(1);
  });
});

/** How much of an overlong line had come when it was found out depends on the pieces. */
function withoutHead(item: unknown): unknown {
  return (item as { kind: string }).kind === "overlong" ? { kind: "overlong" } : item;
}
