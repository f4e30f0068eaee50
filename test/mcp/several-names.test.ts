/** Names and URIs of several servers behind one endpoint: short enough, of one meaning, and always turned back. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { indexCutNames, MAX_SHOWN_CHARACTERS, showName, showUri, splitName, splitUri, turnNameBack } from "../../src/mcp/several-names.ts";

const server = fc.stringMatching(/^[a-z0-9-]{1,32}$/);
const name = fc.oneof(
  fc.string({ minLength: 1, maxLength: 300, unit: "grapheme" }),
  fc.stringMatching(/^_{0,4}[A-Za-z0-9_.-]{1,120}$/),
  fc.stringMatching(/^[a-f_]{40,60}_[0-9a-f]{8}$/),
);

function back(shown: string, cut: ReadonlyMap<string, string | null>): readonly [string, string | undefined] | undefined {
  const split = splitName(shown);
  return split && [split.server, turnNameBack(shown, split, cut)];
}

describe("a name", () => {
  it("comes back as it was, for every server and every list of names", () => {
    fc.assert(
      fc.property(server, fc.uniqueArray(name, { minLength: 1, maxLength: 12 }), (own, names) => {
        const cut = indexCutNames(own, names);
        const shown = names.map((one) => showName(own, one, cut));
        expect(shown.every((text) => text === undefined || text.length <= MAX_SHOWN_CHARACTERS)).toBe(true);
        names.forEach((one, index) => {
          const text = shown[index];
          if (text !== undefined) expect(back(text, cut)).toEqual([own, one]);
        });
        const told = shown.filter((text) => text !== undefined);
        expect(new Set(told).size).toBe(told.length);
      }),
    );
  });

  it("stays itself up to the bound, and is cut with a part of its hash beyond it", () => {
    const fits = "a".repeat(MAX_SHOWN_CHARACTERS - 5);
    expect(showName("abc", fits)).toBe(`abc__${fits}`);
    const cut = showName("abc", `${fits}b`);
    expect(cut).toMatch(/^abc__a{50}_[0-9a-f]{8}$/);
    expect(showName("abc", `${fits}c`)).not.toBe(cut);
    expect(showName("abc", `${fits}b`)).toBe(cut);
  });

  it("is of use in full too, and never turns into half a character", () => {
    const long = `${"x".repeat(49)}😀${"y".repeat(40)}`;
    const table = indexCutNames("abc", [long]);
    const shown = showName("abc", long, table) as string;
    expect(shown.isWellFormed()).toBe(true);
    expect(back(shown, table)).toEqual(["abc", long]);
    expect(back(`abc__${long}`, table)).toEqual(["abc", long]);
  });

  it("that looks like the cut form of another stands for neither", () => {
    const long = "t".repeat(80);
    const literal = (showName("abc", long) as string).slice("abc__".length);
    const table = indexCutNames("abc", [long, literal, "other"]);
    expect(showName("abc", long, table)).toBeUndefined();
    expect(showName("abc", literal, table)).toBeUndefined();
    expect(back(`abc__${literal}`, table)).toEqual(["abc", undefined]);
    expect(showName("abc", "other", table)).toBe("abc__other");
    // Alone it is a name like any other.
    expect(back(`abc__${literal}`, indexCutNames("abc", [literal]))).toEqual(["abc", literal]);
  });

  it("names its server before the first mark, whatever follows", () => {
    expect(back("a___x", new Map())).toEqual(["a", "_x"]);
    expect(back("a__b__c", new Map())).toEqual(["a", "b__c"]);
    for (const none of ["", "a", "__b", "a__", "a_b", "_a__b".slice(0, 2)]) expect(back(none, new Map())).toBeUndefined();
  });
});

describe("a URI", () => {
  it("comes back as it was", () => {
    fc.assert(
      fc.property(server, fc.string({ minLength: 1, maxLength: 200 }), (own, uri) => {
        expect(splitUri(showUri(own, uri))).toEqual({ server: own, uri });
      }),
    );
  });

  it("stays a URI, and a template a template", () => {
    for (const uri of ["https://example.com/a/b?c=d#e", "file:///srv/docs/a%20b.txt", "urn:isbn:1", "db://table/1?x=[1]", "test:static"]) {
      const shown = showUri("my-files-2", uri);
      expect(new URL(shown).href).toBe(shown);
      expect(new URL(shown).protocol).toBe("sallyport+my-files-2:");
    }
    expect(showUri("files", "file:///{path}{?q*}")).toBe("sallyport+files:file:///{path}{?q*}");
  });

  it("of a gateway behind the gateway is turned once on each", () => {
    const inner = showUri("inner", "docs://x");
    expect(splitUri(showUri("outer", inner))).toEqual({ server: "outer", uri: inner });
  });

  it("without a server is nobody's", () => {
    for (const none of ["file:///x", "sallyport+:x", "sallyport+a:", "sallyport+A:x", "x sallyport+a:b", "sallyport+a b:c"]) {
      expect(splitUri(none)).toBeUndefined();
    }
  });
});
