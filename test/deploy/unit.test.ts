/** The systemd unit, as systemd itself reads it. */
import { describe, expect, test } from "vitest";
import { readDeploy, run } from "./parts.ts";

const UNIT = "deploy/systemd/sallyport.service";
const hasSystemd = !(process.env["SALLYPORT_MISSING_PROGRAMS"] ?? "").split(",").includes("systemd-analyze");

describe.runIf(hasSystemd)("the unit", () => {
  test("is one that systemd reads without a complaint", () => {
    const done = run("systemd-analyze", ["verify", "--man=no", UNIT]);
    expect(done.err).not.toContain("sallyport.service");
    expect(done.code).toBe(0);
  });

  test("leaves a process little to do harm with", () => {
    const done = run("systemd-analyze", ["security", "--offline=true", "--no-pager", UNIT]);
    const level = /Overall exposure level for sallyport\.service: ([\d.]+)/.exec(done.out + done.err)?.[1];
    expect(Number(level)).toBeLessThan(2);
  });
});

test("stops as the gateway stops: by SIGTERM, with time for calls in flight, and with all that it started", () => {
  const unit = readDeploy("systemd/sallyport.service");
  expect(unit).toMatch(/^KillMode=mixed$/m);
  expect(Number(/^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1])).toBeGreaterThanOrEqual(60);
});
