/** Lines stay lines, whatever stands in them. */
import { describe, expect, it } from "vitest";
import { createLog, type LogOptions } from "../../src/observe/log.ts";

function record(form: LogOptions["form"]): { readonly lines: string[]; readonly log: ReturnType<typeof createLog> } {
  const lines: string[] = [];
  return { lines, log: createLog({ form, write: (line) => void lines.push(line), now: () => Date.UTC(2026, 0, 5, 9) }) };
}

describe("the log", () => {
  it("speaks in words", () => {
    const { lines, log } = record("words");
    log.info("config.reloaded", "The configuration was read again.", { file: "a.yaml", grants: 2, unset: undefined });
    log.error("store.gone", "The store can't be written.");
    expect(lines).toEqual([
      "2026-01-05T09:00:00.000Z The configuration was read again. file=a.yaml grants=2\n",
      "2026-01-05T09:00:00.000Z error: The store can't be written.\n",
    ]);
  });

  it("speaks in JSON, one value a line, and fields can't pose as another event", () => {
    const { lines, log } = record("json");
    log.warn("config.refused", "two\nlines", { file: "a", event: "forged", level: "info" });
    expect(lines).toHaveLength(1);
    expect(lines[0]?.indexOf("\n")).toBe((lines[0]?.length ?? 0) - 1);
    expect(JSON.parse(lines[0] as string)).toEqual({
      time: "2026-01-05T09:00:00.000Z",
      level: "warn",
      event: "config.refused",
      message: "two\nlines",
      file: "a",
    });
  });

  it("shows control and direction characters instead of obeying them", () => {
    const { lines, log } = record("words");
    log.info("x", "a\nb\rc\u001b[31md\u202ee\u2028f", { key: "1\n2" });
    expect(lines[0]).toBe("2026-01-05T09:00:00.000Z a\\u000ab\\u000dc\\u001b[31md\\u202ee\\u2028f key=1\\u000a2\n");
  });

  it("cuts what is too long", () => {
    const { lines, log } = record("words");
    log.info("x", "y".repeat(100_000));
    expect(lines[0]?.length).toBeLessThan(9000);
  });
});
