import { describe, expect, it } from "vitest";
import { SpanNode } from "../../src/kernel/json-spans.ts";
import { isJsonFault, parseStrictJson } from "../../src/kernel/strict-json.ts";

function read(text: string, spanDepth: number): (pointer: string) => string | undefined {
  const parsed = parseStrictJson(text, { spanDepth });
  if (isJsonFault(parsed)) throw new Error(parsed.message);
  return (pointer) => {
    const span = parsed.spans.get(pointer);
    return span && text.slice(span.start, span.end);
  };
}

describe("the spans of a text", () => {
  it("are found by pointer, in objects and lists, whatever the names hold", () => {
    const slice = read('{"a/b":{"c~d":[10,[20]]},"":{"e":3},"\\u0066":4}', 4);
    expect(slice("/a~1b/c~0d/0")).toBe("10");
    expect(slice("/a~1b/c~0d/1/0")).toBe("20");
    expect(slice("//e")).toBe("3");
    expect(slice("/f")).toBe("4");
    for (const absent of ["/a", "/a~1b/c~0d/2", "/a~1b/c~0d/00", "/a~1b/c~0d/-1", "/a~1b/c~0d/length", "/f/0", "f"]) {
      expect(slice(absent)).toBeUndefined();
    }
  });

  it("are found among many members as among few", () => {
    const many = Array.from({ length: 100 }, (_, index) => `"k${index}":${index}`).join(",");
    const slice = read(`{${many}}`, 1);
    for (const index of [0, 15, 16, 99]) expect(slice(`/k${index}`)).toBe(String(index));
    expect(slice("/k100")).toBeUndefined();
  });

  it("go as deep as they were asked for, and hold their top", () => {
    const slice = read(' {"a":{"b":1}} ', 1);
    expect(slice("")).toBe('{"a":{"b":1}}');
    expect(slice("/a")).toBe('{"b":1}');
    expect(slice("/a/b")).toBeUndefined();
    expect(read("[1]", 0)("/0")).toBeUndefined();
  });

  it("are copied without one member, and the first stay as they were", () => {
    const top = new SpanNode("", 0, 0);
    for (const name of ["a", "b"]) top.add(new SpanNode(name, 1, 2));
    const copy = top.without("a");
    copy.add(new SpanNode("c", 3, 4));
    expect([copy.member("a"), copy.member("b")?.start, copy.member("c")?.start]).toEqual([undefined, 2, 4]);
    expect([top.member("a")?.start, top.member("c")]).toEqual([2, undefined]);
  });
});
