/**
 * A small MCP server for connecting services, which the demo's policy protects:
 * `node samples/sendit/main.ts --data DIR [--port P]`. Compiled code is kept between starts, so that it is there at once.
 */
import { enableCompileCache } from "node:module";

enableCompileCache();
const { run } = await import("./run.ts");
await run(process.argv.slice(2), process.env);
