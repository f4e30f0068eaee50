/** What is wrong with a server's entry although each of its parts fits: keys of the other kind, and headers named twice. */
import { isJsonObject, type JsonObject } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { memberObject } from "./check-references.ts";
import type { ShapeContext } from "./check-shape.ts";

export function checkServers(config: JsonObject, context: ShapeContext): void {
  for (const [name, server] of Object.entries(memberObject(config, "servers"))) {
    const upstream = memberObject(server, "upstream");
    const own = `/servers/${escapePointer(name)}`;
    const pointer = `${own}/upstream`;
    if (Object.hasOwn(upstream, "command") && isJsonObject(server) && Object.hasOwn(server, "network")) {
      context.report(`${own}/network`, "The key `network` goes with `url`: a server that is started has no address.", undefined, "key");
    }
    const oauth = upstream["oauth"];
    if (oauth !== undefined) {
      const header = Object.keys(memberObject(upstream, "headers")).find((key) => key.toLowerCase() === "authorization");
      const message = "The gateway signs in to this server by itself, so it can't have a fixed `Authorization`.";
      if (header !== undefined) context.report(`${pointer}/headers/${escapePointer(header)}`, message);
      const said = memberObject(upstream, "oauth");
      if (Object.hasOwn(said, "clientSecret") && !Object.hasOwn(said, "clientId")) {
        context.report(`${pointer}/oauth/clientSecret`, "A secret goes with a `clientId`.");
      } else if (Object.hasOwn(said, "clientSecret") && !Object.hasOwn(said, "issuer")) {
        // It would go wherever the server says that one signs in.
        const message = "A secret is for one authorization server alone, so that one has to be named: add `issuer`.";
        context.report(`${pointer}/oauth/clientSecret`, message);
      }
    }
    const seen = new Set<string>();
    for (const header of Object.keys(memberObject(upstream, "headers"))) {
      if (seen.has(header.toLowerCase())) context.report(`${pointer}/headers/${escapePointer(header)}`, "This header stands here twice.");
      seen.add(header.toLowerCase());
    }
  }
}
