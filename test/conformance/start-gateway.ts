/**
 * The gateway that the conformance suite looks through: the product's own `startApp`, one server, a policy that allows
 * everything, one grant. Whatever a server's entry has to open for the scenarios is opened here and nowhere else.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { startApp } from "../../src/app.ts";
import { createLog } from "../../src/observe/log.ts";
import { waitUntil } from "../support/gateway.ts";

export const TOKEN = "the-token-of-the-conformance-suite";

export type UpstreamEntry =
  | { readonly url: string; readonly oauth?: object | true }
  | { readonly command: string; readonly args: readonly string[] };

export interface ConformanceGateway {
  readonly url: string;
  readonly dataDir: string;
  stop(): Promise<void>;
}

function writeConfig(upstream: UpstreamEntry): string {
  const isCommand = "command" in upstream;
  // What a server asks of its client needs a process that is this client's alone.
  const entry = isCommand ? { ...upstream, process: "session" } : upstream;
  const network = isCommand ? {} : { network: { allow: ["127.0.0.1/32", "::1/128"] } };
  return JSON.stringify({
    servers: { fixture: { upstream: entry, ...network, asks: ["sampling", "elicitation", "roots"] } },
    policies: { everything: { server: "fixture", document: { version: "1", default: "allow" } } },
    grants: { suite: { server: "fixture", policy: "everything", identity: "suite@example.com", token: TOKEN } },
  });
}

/** Ready when the server's tools were looked at, well or in vain: some of the suite's own servers have none. */
export async function startConformanceGateway(upstream: UpstreamEntry): Promise<ConformanceGateway> {
  const dataDir = mkdtempSync(path.join(os.tmpdir(), "sallyport-conformance-"));
  const configFile = path.join(dataDir, "sallyport.json");
  writeFileSync(configFile, writeConfig(upstream));
  const said: string[] = [];
  const log = createLog({ form: "words", write: (line) => void said.push(line), now: () => Date.now() });
  const app = await startApp({ configFile, dataDir, port: 0, env: {}, log });
  await waitUntil(() => said.some((line) => line.includes("`fixture`")));
  return {
    url: `${app.url}/mcp/fixture`,
    dataDir,
    async stop() {
      await app.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
