import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FieldReader } from "../../src/http/read-fields.ts";

const BOUNDS = { maxBytes: 1024, maxFields: 16 };

/** Reads it with all bytes before `cut` first; the section stands behind `lead` other bytes. */
function read(text: string, cut = 0, lead = ""): { told: string; pairs: string[]; length: number; reader: FieldReader } {
  const bytes = Buffer.from(lead + text, "latin1");
  const reader = new FieldReader(BOUNDS);
  const first = reader.read(Buffer.from(bytes.subarray(0, lead.length + cut)), lead.length, lead.length + cut);
  const told = first === "more" ? reader.read(bytes, lead.length, bytes.length) : first;
  return { told, pairs: told === "done" ? reader.rawPairs() : [], length: told === "done" ? reader.length : 0, reader };
}

describe("a section of fields", () => {
  test("gives names, values and its length", () => {
    const text = "Content-Type: application/json\r\nX-Empty:\r\nX-Blank: \t \r\nx-a:1\r\nX-A: two  words \t\r\n\r\n";
    const { told, pairs, length, reader } = read(`${text}{"body":1}`);
    expect(told).toBe("done");
    expect(pairs).toEqual(["Content-Type", "application/json", "X-Empty", "", "X-Blank", "", "x-a", "1", "X-A", "two  words"]);
    expect(length).toBe(text.length);
    expect(reader.count).toBe(5);
    expect([reader.nameAt(0), reader.valueAt(0)]).toEqual(["content-type", "application/json"]);
    expect(reader.value("content-type")).toBe("application/json");
    expect(reader.value("x-a")).toBe("1");
    expect([reader.countOf("x-a"), reader.countOf("x-b"), reader.countOf("x-empty")]).toEqual([2, 0, 1]);
    expect(reader.find("x-a", reader.find("x-a") + 1)).toBe(4);
    expect(reader.value("X-A")).toBeUndefined();
  });

  test("may be empty, and serves the next message", () => {
    const reader = new FieldReader(BOUNDS);
    expect(reader.read(Buffer.from("\r\nrest"), 0, 6)).toBe("done");
    expect([reader.count, reader.length]).toEqual([0, 2]);
    reader.reset();
    expect(reader.read(Buffer.from("A: 1\r\n\r\n"), 0, 8)).toBe("done");
    expect(reader.rawPairs()).toEqual(["A", "1"]);
  });

  test("has one character for an octet", () => {
    expect(read("a: \x80\xff\x21~\r\n\r\n").pairs).toEqual(["a", "\x80\xff!~"]);
  });
});

describe("refuses", () => {
  test.each([
    ["a blank before the colon", "a : 1\r\n\r\n", "invalid_name"],
    ["no colon", "abc\r\n\r\n", "invalid_name"],
    ["no name", ": 1\r\n\r\n", "invalid_name"],
    ["a folded line", "a: 1\r\n b\r\n\r\n", "invalid_name"],
    ["a folded line by a tab", "a: 1\r\n\tb\r\n\r\n", "invalid_name"],
    ["a first line that is folded", " a: 1\r\n\r\n", "invalid_name"],
    ["a bare LF behind a field", "a: 1\nb: 2\r\n\r\n", "invalid_line_end"],
    ["a bare LF at the end", "a: 1\r\n\n", "invalid_line_end"],
    ["a bare CR in a value", "a: 1\r2\r\n\r\n", "invalid_line_end"],
    ["two CRs", "a: 1\r\r\n\r\n", "invalid_line_end"],
    ["a bare CR at the end", "a: 1\r\n\r\r\n", "invalid_line_end"],
    ["NUL in a value", "a: 1\x002\r\n\r\n", "invalid_value"],
    ["a control octet in a value", "a: \x0b\r\n\r\n", "invalid_value"],
    ["DEL in a value", "a: \x7f\r\n\r\n", "invalid_value"],
    ["NUL in a name", "a\x00: 1\r\n\r\n", "invalid_name"],
    ["a name beyond ASCII", "\xe9: 1\r\n\r\n", "invalid_name"],
    ["a separator in a name", "a(b): 1\r\n\r\n", "invalid_name"],
    ["too many", "a: 1\r\n".repeat(17) + "\r\n", "too_many"],
    ["too many bytes in a value", `a: ${"x".repeat(2000)}`, "too_long"],
    ["too many bytes in a name", "x".repeat(2000), "too_long"],
    ["blanks without an end", `a:${" ".repeat(2000)}`, "too_long"],
  ])("%s, wherever it is cut", (_name, text, fault) => {
    for (let cut = 0; cut <= Math.min(text.length, 1100); cut++) expect([cut, read(text, cut).told]).toEqual([cut, fault]);
  });

  test("nothing at its very bounds", () => {
    expect(read(`${"a: 1\r\n".repeat(16)}\r\n`).told).toBe("done");
    expect(read(`a: ${"x".repeat(1024 - 7)}\r\n\r\n`).told).toBe("done");
    expect(read(`a: ${"x".repeat(1024 - 6)}\r\n\r\n`).told).toBe("too_long");
  });
});

describe("laws", () => {
  const nameArb = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}$/);
  const valueArb = fc.stringMatching(/^(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]{0,12}[!-~\x80-\xff])?)?$/);
  const blanks = fc.stringMatching(/^[ \t]{0,3}$/);
  const fields = fc.array(fc.tuple(nameArb, blanks, valueArb, blanks), { maxLength: 8 });

  test("what was written is read, wherever it is cut and wherever it stands", () => {
    fc.assert(
      fc.property(fields, fc.nat(), fc.string({ maxLength: 5 }), (list, at, lead) => {
        const text = `${list.map(([name, before, value, after]) => `${name}:${before}${value}${after}\r\n`).join("")}\r\n`;
        const whole = read(`${text}more`, at % text.length, lead.replaceAll(/[^a-z]/g, ""));
        expect(whole.told).toBe("done");
        expect(whole.pairs).toEqual(list.flatMap(([name, , value]) => [name, value]));
        expect(whole.length).toBe(text.length);
        for (const [name] of list) {
          const lower = name.toLowerCase();
          expect(whole.reader.countOf(lower)).toBe(list.filter(([other]) => other.toLowerCase() === lower).length);
        }
      }),
    );
  });

  test("a reader that has read others before reads as a new one does", () => {
    const texts = fc.array(
      fc.array(fc.tuple(fc.constantFrom("a", "A", "ab", "aB", "b-c", "x"), fc.constantFrom("", "1", "a", "A", "q1", "Q1", "101"))),
    );
    fc.assert(
      fc.property(texts, (sections) => {
        const old = new FieldReader(BOUNDS);
        for (const section of sections) {
          const bytes = Buffer.from(`${section.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
          old.reset();
          old.read(bytes, 0, bytes.length);
          const fields = Array.from({ length: old.count }, (_, index) => [old.nameAt(index), old.valueAt(index)]);
          expect(fields).toEqual(section.map(([name, value]) => [name.toLowerCase(), value]));
        }
      }),
    );
  });

  test("whatever the bytes, a cut changes nothing", () => {
    const octets = fc.array(fc.constantFrom("a", "B", ":", " ", "\t", "\r", "\n", "\r\n", "\0", "é", "1"), { maxLength: 24 });
    fc.assert(
      fc.property(octets, (parts) => {
        const text = parts.join("");
        const whole = read(text);
        for (let cut = 0; cut <= text.length; cut++) {
          const { told, pairs, length } = read(text, cut);
          expect({ told, pairs, length }).toEqual({ told: whole.told, pairs: whole.pairs, length: whole.length });
        }
      }),
      { numRuns: 2000 },
    );
  });
});
