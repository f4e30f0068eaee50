/**
 * Every client before every server, through one gateway: for each pair, which features were exercised and worked,
 * whatever the eras of the two.
 */
import { type GatewayServer, startGateway, type TestGateway } from "../../support/gateway.ts";
import type { Listening } from "../listen.ts";
import { ANSWERED, CLIENTS, type MatrixClient, type MatrixClientKind } from "./clients.ts";
import { type MatrixServer, type Offer, SERVERS } from "./servers.ts";

const TOKEN = "the-token-of-the-whole-matrix";

export type Feature = keyof Offer;

function expectThat(isTrue: boolean, words: string): asserts isTrue {
  if (!isTrue) throw new Error(words);
}

async function expectAnswer(client: MatrixClient, asks: Offer["roots"], answered: string): Promise<void> {
  const { text } = await client.call(asks?.name ?? "", asks?.args ?? {});
  expectThat(text.includes(answered), `the server did not get the answer: ${text}`);
}

/** One act for each feature; it throws where it does not work. */
const EXERCISES: { readonly [F in Feature]-?: (client: MatrixClient, offer: NonNullable<Offer[F]>) => Promise<void> } = {
  async tools(client, { name, args = {}, says = "" }) {
    expectThat((await client.listTools()).includes(name), `${name} is not listed`);
    const called = await client.call(name, args);
    expectThat(!called.isError && called.text.includes(says), `${name} said ${called.text}`);
  },
  async denial(client, name) {
    const { isError, text } = await client.call(name, {});
    expectThat(isError && text.startsWith("[POLICY DENIED]"), `${name} was not denied: ${text}`);
  },
  async progress(client, { name, args = {}, steps }) {
    const seen: number[] = [];
    await client.call(name, args, (progress) => void seen.push(progress));
    // Where the server asks something meanwhile, a client of 2026-07-28 tells its own rounds through the same ear.
    const told = seen.filter((value, at) => at === 0 || value > Math.max(...seen.slice(0, at)));
    expectThat(told.length === steps, `progress was ${seen.join(", ")}`);
  },
  async errors(client, { name, args = {}, says = "" }) {
    const { isError, text } = await client.call(name, args);
    expectThat(isError && text.includes(says), `${name} said ${text}`);
  },
  async resources(client, uri) {
    expectThat((await client.listResources()).includes(uri), `${uri} is not listed`);
    expectThat((await client.read(uri)) > 0, `${uri} is empty`);
  },
  async templates(client, uri) {
    expectThat((await client.listTemplates()).length > 0, "no templates");
    expectThat((await client.read(uri)) > 0, `${uri} is empty`);
  },
  async prompts(client, name) {
    expectThat((await client.listPrompts()).includes(name), `${name} is not listed`);
    expectThat((await client.getPrompt(name)) > 0, `${name} is empty`);
  },
  async completion(client, { prompt, argument }) {
    expectThat((await client.complete(prompt, argument)).length > 0, "no values");
  },
  elicitation: (client, asks) => expectAnswer(client, asks, ANSWERED.elicitation),
  sampling: (client, asks) => expectAnswer(client, asks, ANSWERED.sampling),
  roots: (client, asks) => expectAnswer(client, asks, ANSWERED.roots),
  changes: (client, name) => client.hearChange(() => client.call(name, {})),
};

export const FEATURES = Object.keys(EXERCISES) as readonly Feature[];

export interface Cell {
  readonly client: string;
  readonly server: string;
  readonly over: string;
  /** Undefined: the server lacks it. */
  readonly works: Readonly<Partial<Record<Feature, true | string>>>;
}

const keyOf = (server: MatrixServer): string => `s${SERVERS.indexOf(server)}`;

async function exercise(client: MatrixClient, offer: Offer): Promise<Cell["works"]> {
  const works: Partial<Record<Feature, true | string>> = {};
  for (const feature of FEATURES) {
    const offered = offer[feature];
    if (offered === undefined) continue;
    const act = EXERCISES[feature] as (client: MatrixClient, offered: unknown) => Promise<void>;
    works[feature] = await act(client, offered).then(
      () => true as const,
      (error: unknown) => (error instanceof Error ? error.message : String(error)),
    );
  }
  return works;
}

async function fillCell(gateway: TestGateway, kind: MatrixClientKind, server: MatrixServer): Promise<Cell> {
  const at = { client: kind.name, server: server.name, over: server.over };
  const client = await kind.connect(gateway.addressOf(keyOf(server)), TOKEN);
  const works = await exercise(client, server.offer);
  await client.close();
  return { ...at, works };
}

export async function fillMatrix(): Promise<readonly Cell[]> {
  const running: Listening[] = [];
  try {
    const asks = ["sampling", "elicitation", "roots"];
    const servers: Record<string, GatewayServer> = {};
    for (const server of SERVERS) {
      if ("upstream" in server) servers[keyOf(server)] = { upstream: server.upstream, asks };
      else {
        const started = await server.start();
        running.push(started);
        servers[keyOf(server)] = { url: started.url, asks };
      }
    }
    const policies = Object.fromEntries(
      SERVERS.map((server) => {
        const document = { version: "1", default: "allow", tools: { [server.offer.denial]: { action: "deny" } } };
        return [keyOf(server), { server: keyOf(server), document }];
      }),
    );
    const grants = { everyone: { servers: Object.fromEntries(Object.keys(servers).map((key) => [key, key])), token: TOKEN } };
    const gateway = await startGateway({ servers, policies, grants });
    try {
      const cells: Cell[] = [];
      for (const server of SERVERS) for (const kind of CLIENTS) cells.push(await fillCell(gateway, kind, server));
      return cells;
    } finally {
      await gateway.stop();
    }
  } finally {
    await Promise.all(running.map((server) => server.stop()));
  }
}
