/** Runs every client before every server and writes what they did into `docs/interop.md`. A test keeps it fresh. */
import { writeFileSync } from "node:fs";
import path from "node:path";
import { fillMatrix } from "../test/interop/matrix/matrix.ts";
import { printMatrix } from "../test/interop/matrix/print-matrix.ts";

const cells = await fillMatrix();
for (const { client, server, works } of cells) {
  for (const [feature, how] of Object.entries(works)) if (how !== true) process.stderr.write(`${client}, ${server}, ${feature}: ${how}\n`);
}
writeFileSync(path.resolve(import.meta.dirname, "../docs/interop.md"), printMatrix(cells));
