import { describe, expect, it } from "vitest";
import { BoundedMap } from "../../src/kernel/bounded-map.ts";
import { createManualClock, createSteadyClock, createStoreClock } from "../../src/kernel/clock.ts";
import { createId } from "../../src/kernel/id.ts";

describe("the steady clock", () => {
  it("goes on at the monotonic pace when the wall clock steps back", () => {
    let wall = 1_000_000;
    let monotonic = 0;
    const clock = createSteadyClock(
      () => wall,
      () => monotonic,
    );
    expect(clock.now()).toBe(1_000_000);
    wall -= 60_000;
    monotonic += 250;
    expect(clock.now()).toBe(1_000_250);
    wall = 2_000_000;
    expect(clock.now()).toBe(2_000_000);
  });

  it("can be raised, never lowered", () => {
    const clock = createManualClock(5);
    clock.raise(9);
    clock.raise(3);
    expect(clock.now()).toBe(9);
  });
});

describe("the clock of a store", () => {
  const rig = () => {
    const at = { wall: 5_000_000, monotonic: 0 };
    const clock = createStoreClock(
      () => at.wall,
      () => at.monotonic,
    );
    return { at, clock };
  };

  it("is the process's own until it is told another, and then that, though it is earlier", () => {
    const { at, clock } = rig();
    expect(clock.now()).toBe(5_000_000);
    clock.follow?.(1_000_000);
    expect(clock.now()).toBe(1_000_000);
    at.monotonic += 40;
    at.wall = 9_000_000;
    expect(clock.now()).toBe(1_000_040);
  });

  it("never goes back, whatever it is told later", () => {
    const { at, clock } = rig();
    clock.follow?.(1_000_000);
    at.monotonic += 100;
    expect(clock.now()).toBe(1_000_100);
    clock.follow?.(1_000_050);
    expect(clock.now()).toBe(1_000_100);
    clock.follow?.(2_000_000);
    expect(clock.now()).toBe(2_000_000);
    clock.raise(2_000_500);
    expect(clock.now()).toBe(2_000_500);
  });
});

describe("ids", () => {
  it("are unique and rise, also within a millisecond and when time stands or goes back", () => {
    const times = [1, 1, 1, 2, 1, 3, 3];
    const ids = times.map((time) => createId(1_700_000_000_000 + time));
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(ids);
    expect(ids.every((id) => /^[0-9a-hjkmnp-tv-z]{26}$/.test(id))).toBe(true);
  });
});

describe("the bounded map", () => {
  it("forgets what was used longest ago", () => {
    const forgotten: string[] = [];
    const map = new BoundedMap<string, number>(2, (key) => forgotten.push(key));
    map.set("a", 1);
    map.set("b", 2);
    map.get("a");
    map.set("c", 3);
    expect(forgotten).toEqual(["b"]);
    expect(map.get("a")).toBe(1);
    expect(map.size).toBe(2);
  });
});
