/** A server of a data folder by its name or its id; where there is none, the names that there are. */
import { FailureError } from "../kernel/failure.ts";
import { listServers, type ServerRecord } from "../revision/server.ts";
import type { OpenFolder } from "./ports.ts";

export async function findServer(folder: OpenFolder, name: string): Promise<ServerRecord> {
  const servers = await listServers(folder.store.query);
  const found = servers.find((server) => server.name === name || server.id === name);
  if (found) return found;
  const known = servers.map((server) => `\`${server.name}\``).join(", ");
  throw new FailureError({
    code: "not_found",
    message: `There is no server \`${name}\`.`,
    hint: known === "" ? "No server is known yet." : `There are: ${known}.`,
  });
}
