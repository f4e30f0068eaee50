#!/usr/bin/env node
// Plain JavaScript that any Node can read: looks at the runtime first, then hands over to the program.
import { existsSync } from "node:fs";
import * as nodeModule from "node:module";

const MINIMUM_MAJOR = 24;
const major = Number(process.versions.node.split(".")[0]);

if (major < MINIMUM_MAJOR) {
  process.stderr.write(
    `sallyport needs Node ${MINIMUM_MAJOR} or newer; this is ${process.versions.node}.\n` +
      "In a checkout, run it through npm (`npm start`, `npm run sallyport -- …`): npm ci brings the right one.\n",
  );
  process.exitCode = 2;
} else {
  // Compiled code is kept between starts, so that a command answers at once.
  nodeModule.enableCompileCache?.();
  const source = new URL("../src/main.ts", import.meta.url);
  const built = new URL("../dist/main.js", import.meta.url);
  const { main } = await import(existsSync(source) ? source.href : built.href);
  await main(process.argv.slice(2));
}
