/** A process that takes a data folder, says so, and stays. argv: folder, time. */
import { acquireFolder } from "../../../src/store/folder-lock.ts";

const [, , dir = "", nowMs = "0"] = process.argv;
acquireFolder(dir, { pid: process.pid, nowMs: Number(nowMs) });
process.stdout.write("held\n");
setInterval(() => undefined, 1000);
