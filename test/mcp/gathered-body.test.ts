import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { GatheredBody } from "../../src/mcp/gathered-body.ts";

describe("a body that is read whole", () => {
  it("is the very bytes that came where they came at once", () => {
    const body = new GatheredBody();
    const piece = Buffer.from("all of it");
    body.append(piece);
    expect(body.take()).toBe(piece);
    expect(body.length).toBe(0);
    expect(body.take()).toHaveLength(0);
  });

  it("is the pieces in their order, whatever their sizes", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 20 }), (pieces) => {
        const body = new GatheredBody();
        const whole = Buffer.concat(pieces);
        for (const piece of pieces) body.append(Buffer.from(piece));
        expect(body.length).toBe(whole.length);
        expect(body.look().equals(whole)).toBe(true);
        expect(body.take().equals(whole)).toBe(true);
        expect(body.length).toBe(0);
      }),
    );
  });
});
