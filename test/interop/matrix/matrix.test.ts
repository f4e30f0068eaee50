/** Every client before every server does all that the server offers, and the page says so. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { CLIENTS } from "./clients.ts";
import { type Cell, FEATURES, fillMatrix } from "./matrix.ts";
import { printMatrix } from "./print-matrix.ts";
import { SERVERS } from "./servers.ts";

const PAGE = path.resolve(import.meta.dirname, "../../../docs/interop.md");
const FILL_TIMEOUT_MS = 180_000;
let cells: readonly Cell[];

beforeAll(async () => {
  cells = await fillMatrix();
}, FILL_TIMEOUT_MS);

describe.each(SERVERS)("before $name over $over", (server) => {
  it.each(CLIENTS)("$name does all that is offered", (client) => {
    const cell = cells.find((one) => one.server === server.name && one.over === server.over && one.client === client.name);
    const offered = FEATURES.filter((feature) => server.offer[feature] !== undefined);
    expect(offered.length).toBeGreaterThan(1);
    expect(cell?.works).toEqual(Object.fromEntries(offered.map((feature) => [feature, true])));
  });
});

it("stands in docs/interop.md", () => {
  expect(readFileSync(PAGE, "utf8"), "run `node tools/write-interop.ts`").toBe(printMatrix(cells));
});
