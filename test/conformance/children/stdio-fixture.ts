/** The legacy fixture on standard streams, as a program. */
import { StdioServerTransport } from "@modelcontextprotocol/sdk/server/stdio.js";
import { createLegacy } from "../fixture/legacy.ts";

const server = createLegacy(async (send) => await send(server));
await server.connect(new StdioServerTransport());
