/**
 * Clients for the suite's client scenarios, a few at a time, each before a gateway that has the scenario's server as its
 * only upstream. The suite's own command only asks for one here, and learns how it ended.
 */
import { type Listening, listenOn, readText } from "../interop/listen.ts";
import { signInAndUse } from "./sign-in.ts";
import { startConformanceGateway, TOKEN } from "./start-gateway.ts";
import { listScored } from "./suite.ts";
import { type Scenario, useServer } from "./use-server.ts";

/** The suite starts all scenarios at once. */
const MAX_AT_ONCE = 3;

/** Of a login: it is the gateway's own, towards the server. */
export const isLogin = (scenario: string): boolean => scenario.startsWith("auth/");

async function useThroughGateway(asked: Scenario): Promise<void> {
  const gateway = await startConformanceGateway({ url: asked.server });
  try {
    await useServer(asked, gateway.url, { authorization: `Bearer ${TOKEN}` });
  } finally {
    await gateway.stop();
  }
}

export async function startScenarioClients(): Promise<Listening> {
  const waiting: (() => void)[] = [];
  let running = 0;

  /** Why it failed; undefined where it did not. */
  async function take(asked: Scenario): Promise<string | undefined> {
    if (isLogin(asked.scenario) && !listScored(asked.revision, "client").includes(asked.scenario)) return "no person signs in there";
    if (running >= MAX_AT_ONCE) await new Promise<void>((resolve) => waiting.push(resolve));
    running++;
    try {
      await (isLogin(asked.scenario) ? signInAndUse(asked) : useThroughGateway(asked));
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    } finally {
      running--;
      waiting.shift()?.();
    }
  }

  return await listenOn((request, response) => {
    const answer = async (): Promise<void> => {
      const failed = await take(JSON.parse(await readText(request)) as Scenario);
      response.writeHead(failed === undefined ? 200 : 500).end(failed ?? "");
    };
    void answer().catch(() => response.destroy());
  });
}
