import * as fc from "fast-check";
import { expect, test } from "vitest";
import { decodeText, encodeText, MAX_NAMED_STATEMENTS, Translator } from "../../src/store/postgres/translate.ts";

const textOf = (sql: string) => new Translator().translate(sql, false).text;

test("marks are numbered outside of quotes", () => {
  expect(textOf("SELECT ? , '?', \"a?\", 'it''s ?', ?")).toBe("SELECT $1 , '?', \"a?\", 'it''s ?', $2");
  expect(textOf("SELECT $1")).toBe("SELECT $1");
});

test("a schema's texts are compared byte by byte and its numbers have 64 bits; statements stay as they are", () => {
  expect(textOf("create table t (a integer primary key, b text not null, \"text\" blob, c text default 'text')")).toBe(
    'create table t (a bigint primary key, b text COLLATE "C" not null, "text" bytea, c text COLLATE "C" default \'text\')',
  );
  expect(textOf("ALTER TABLE t ADD COLUMN more text")).toBe('ALTER TABLE t ADD COLUMN more text COLLATE "C"');
  expect(textOf("SELECT text FROM t WHERE text = 'integer'")).toBe("SELECT text FROM t WHERE text = 'integer'");
});

test("texts that come again have a name of their own, up to a bound", () => {
  const translator = new Translator();
  const names = Array.from({ length: MAX_NAMED_STATEMENTS + 10 }, (_, index) => translator.translate(`SELECT ${index}`, true).name);
  expect(new Set(names.slice(0, MAX_NAMED_STATEMENTS)).size).toBe(MAX_NAMED_STATEMENTS);
  expect(names.slice(MAX_NAMED_STATEMENTS).every((name) => name === undefined)).toBe(true);
  expect(translator.translate("SELECT 3", true).name).toBe(names[3]);
  expect(new Translator().translate("CREATE INDEX i ON t (a)", true).name).toBeUndefined();
});

test("every text is written without zero characters, comes back as it was, and equals no other", () => {
  const texts = fc.string({ unit: fc.constantFrom("\0", "\u0001", "z", "a", "é"), maxLength: 8 });
  fc.assert(
    fc.property(texts, texts, (one, other) => {
      expect(encodeText(one)).not.toContain("\0");
      expect(decodeText(encodeText(one))).toBe(one);
      expect(encodeText(one) === encodeText(other)).toBe(one === other);
    }),
  );
});
