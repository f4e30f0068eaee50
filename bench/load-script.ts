/**
 * What wrk is told to send: one call again and again, or, where a system has sessions, calls with ids of their own that
 * take the sessions in turn. There the answers are read too: a refusal inside of a 200 is an error.
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { CALL_ID, GOOD_ANSWER, splitAtId } from "./call-body.ts";
import type { System } from "./launch.ts";

/** How a script tells of answers that were none. */
export const BAD_ANSWERS: RegExp = /bad answers: (\d+)/;

function writeLines(system: System, body: string): string[] {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream", ...system.headers };
  const lines = ['wrk.method = "POST"'];
  for (const [name, value] of Object.entries(headers)) lines.push(`wrk.headers[${JSON.stringify(name)}] = ${JSON.stringify(value)}`);
  if (system.sessions.length === 0) return [...lines, `wrk.body = [==[${body}]==]`];
  const [head, tail] = splitAtId(body);
  return [
    ...lines,
    `local sessions = { ${system.sessions.map((session) => JSON.stringify(session)).join(", ")} }`,
    `local head, tail = [==[${head}]==], [==[${tail}]==]`,
    // Two runs never have an id in common: one that is still under way may not be used again in its session.
    `local calls = io.open("/proc/self/stat"):read("*n") * ${CALL_ID}`,
    "bad = 0",
    "function request()",
    "  calls = calls + 1",
    `  wrk.headers["mcp-session-id"] = sessions[calls % #sessions + 1]`,
    `  return wrk.format(nil, nil, nil, head .. string.format("%.0f", calls) .. tail)`,
    "end",
    "function response(status, headers, body)",
    `  if not string.find(body, [==[${GOOD_ANSWER}]==], 1, true) then bad = bad + 1 end`,
    "end",
    "local threads = {}",
    "function setup(thread) table.insert(threads, thread) end",
    "function done()",
    "  local sum = 0",
    `  for _, thread in ipairs(threads) do sum = sum + thread:get("bad") end`,
    `  print("bad answers: " .. sum)`,
    "end",
  ];
}

export function writeLoadScript(folder: string, system: System, body: string): string {
  const file = path.join(folder, `${system.name.replaceAll(/\W+/g, "-")}.lua`);
  writeFileSync(file, `${writeLines(system, body).join("\n")}\n`);
  return file;
}
