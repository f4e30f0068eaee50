/** URIs inside of results are turned wherever the protocol has them, and nothing else changes by a byte. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { showUri, splitUri } from "../../src/mcp/several-names.ts";
import { turnResultUris, turnUpdatedUri } from "../../src/mcp/turn-uris.ts";

const turn = (uri: string): string => showUri("s", uri);
const answer = (result: string): Buffer => Buffer.from(`{"jsonrpc":"2.0","id":1.0,"result":${result}}`);
const turned = (method: string, result: string): string => turnResultUris(method, answer(result), turn).toString();

describe("a result", () => {
  it("of a call has its links and embedded resources turned, and every other byte as it was", () => {
    const rest = `,"structuredContent":{"uri":"a:b","n":1.0,"big":12345678901234567890},"_meta":{"uri":"a:c"},"isError":false`;
    const content = (one: string, two: string): string =>
      `[ {"type":"text","text":"a:uri"}, {"type":"resource_link" , "uri" : ${one},"x":1.0},{"resource":{"text":"t","uri":${two}},"type":"resource"},{"type":"new","uri":"a:d"},7]`;
    expect(turned("tools/call", `{"content":${content('"a:1"', '"a:2"')}${rest}}`)).toBe(
      answer(`{"content":${content('"sallyport+s:a:1"', '"sallyport+s:a:2"')}${rest}}`).toString(),
    );
  });

  it("of a prompt has those of its messages turned, of a read its contents", () => {
    const prompt = (uri: string): string =>
      `{"messages":[{"role":"user","content":{"type":"resource","resource":{"uri":${uri}}}},{"role":"user","content":[{"type":"resource_link","uri":${uri}}]}]}`;
    expect(turned("prompts/get", prompt('"x:1"'))).toBe(answer(prompt('"sallyport+s:x:1"')).toString());
    const read = (uri: string): string => `{"contents":[{"uri":${uri},"text":"a \\u0000"},{"blob":"AA==","uri":${uri}}],"ttlMs":5}`;
    expect(turned("resources/read", read('"x:1"'))).toBe(answer(read('"sallyport+s:x:1"')).toString());
  });

  it("has them turned however they are spelled", () => {
    const spelled = turned("resources/read", '{"contents":[{"\\u0075\\u0072\\u0069":"\\u0078:\\/1"}]}');
    expect(spelled).toContain('{"\\u0075\\u0072\\u0069":"sallyport+s:x:/1"}');
  });

  it("stays the very same bytes where it holds none, is an error, or can't be read without doubt", () => {
    const same: readonly [string, Buffer][] = [
      ["tools/call", answer('{"content":[{"type":"text","text":"uri"}]}')],
      ["tools/list", answer('{"tools":[{"name":"uri"}],"contents":[{"uri":"a:b"}]}')],
      ["tools/call", Buffer.from('{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"uri"}}')],
      ["resources/read", answer('{"contents":[{"uri":"a:b","uri":"a:c"}]}')],
      ["resources/read", answer('{"contents":{"uri":"a:b"}}')],
      ["tools/call", answer('{"content":[{"type":"resource_link","uri":7},{"type":"resource","resource":"uri"}]}')],
    ];
    for (const [method, message] of same) expect(turnResultUris(method, message, turn)).toBe(message);
  });

  it("holds, for every list of blocks, exactly the same value once its URIs are turned back", () => {
    const block = fc.oneof(
      fc.record({ type: fc.constant("resource_link"), uri: fc.string(), name: fc.string() }),
      fc.record({ type: fc.constant("resource"), resource: fc.record({ uri: fc.string(), text: fc.string() }) }),
      fc.record({ type: fc.constantFrom("text", "other"), text: fc.string(), uri: fc.string() }),
    );
    fc.assert(
      fc.property(fc.array(block), (content) => {
        const { result } = JSON.parse(turned("tools/call", JSON.stringify({ content })));
        const back = (one: Record<string, unknown>): unknown => {
          const uri = (text: unknown): string => String(text).slice("sallyport+s:".length);
          if (one["type"] === "resource_link") return { ...one, uri: uri(one["uri"]) };
          const resource = one["resource"] as { uri: string } | undefined;
          return resource ? { ...one, resource: { ...resource, uri: uri(resource.uri) } } : one;
        };
        expect(result.content.map(back)).toEqual(content);
      }),
    );
  });
});

describe("a message of a server's", () => {
  it("that a resource changed names it in the client's words", () => {
    const told = '{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"x":1.0,"uri":"a:1","_meta":{"k":"a:1"}}}';
    const message = turnUpdatedUri(Buffer.from(told), turn).toString();
    expect(message).toBe(told.replace('"uri":"a:1"', '"uri":"sallyport+s:a:1"'));
    expect(splitUri("sallyport+s:a:1")).toEqual({ server: "s", uri: "a:1" });
  });

  it("of another kind is left as it is", () => {
    for (const text of [
      '{"jsonrpc":"2.0","method":"notifications/message","params":{"data":{"uri":"a:1"}}}',
      '{"jsonrpc":"2.0","method":"notifications/resources/updated","params":{"uri":1}}',
      '{"jsonrpc":"2.0","id":1,"result":{"uri":"a:1"}}',
    ]) {
      const message = Buffer.from(text);
      expect(turnUpdatedUri(message, turn)).toBe(message);
    }
  });
});
