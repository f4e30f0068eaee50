/**
 * The suite's login scenarios: the gateway is signed in to the scenario's server by its own command, and a script stands
 * for the browser. Where a server wants more later on, the sign-in is asked for again, as people would.
 */
import { runCommand } from "../support/commands.ts";
import { startConformanceGateway, TOKEN } from "./start-gateway.ts";
import { type Scenario, useServer } from "./use-server.ts";

/** How often a browser goes where it is sent. */
const MAX_REDIRECTS = 10;
/** A server may ask for further scopes; one that always does is given up. */
const MAX_SIGN_INS = 3;
/** Where the suite takes a client's metadata document to be; nobody asks for it. */
const CLIENT_DOCUMENT = "https://conformance-test.local/client-metadata.json";

/** Goes where a browser would be sent, with each host's own cookies, to the page where it stays. */
async function browse(link: string): Promise<void> {
  const jars = new Map<string, string>();
  let url = new URL(link);
  for (let count = 0; count < MAX_REDIRECTS; count++) {
    const cookie = jars.get(url.host);
    const answer = await fetch(url, { redirect: "manual", headers: cookie === undefined ? {} : { cookie } });
    await answer.arrayBuffer();
    const [set] = answer.headers.getSetCookie();
    if (set !== undefined) jars.set(url.host, set.split(";")[0] ?? "");
    const to = answer.headers.get("location");
    if (to === null) return;
    url = new URL(to, url);
  }
  throw new Error("a browser would be sent on and on");
}

/** Undefined: signed in; else why not, as the command says it. */
async function signIn(dataDir: string): Promise<string | undefined> {
  const printed = Promise.withResolvers<string | undefined>();
  let out = "";
  const command = runCommand(["server", "connect", "fixture", "--no-open", "--data", dataDir], {}, (text) => {
    out += text;
    const link = /(http:\/\/\S+ticket=\S+)\n/.exec(out)?.[1];
    if (link !== undefined) printed.resolve(link);
  });
  const link = await Promise.race([printed.promise, command.then(() => undefined)]);
  if (link !== undefined) await browse(link);
  const { code, err } = await command;
  return code === 0 ? undefined : err;
}

/** What is set by hand for it: a name that the gateway has there before. */
function configureLogin({ scenario, context }: Scenario): object | true {
  if (scenario === "auth/basic-cimd") return { clientId: CLIENT_DOCUMENT };
  const { client_id: clientId, client_secret: clientSecret, issuer } = context;
  return clientId === undefined || clientSecret === undefined ? true : { clientId, clientSecret, issuer };
}

export async function signInAndUse(asked: Scenario): Promise<void> {
  const gateway = await startConformanceGateway({ url: asked.server, oauth: configureLogin(asked) });
  try {
    let failed: unknown;
    for (let count = 0; count < MAX_SIGN_INS; count++) {
      const refused = await signIn(gateway.dataDir);
      if (refused !== undefined) throw new Error(`the sign-in was refused: ${refused}`);
      failed = await useServer(asked, gateway.url, { authorization: `Bearer ${TOKEN}` }).then(
        (isWell) => (isWell ? undefined : new Error("a tool did not go well")),
        (error: unknown) => error,
      );
      if (failed === undefined) return;
    }
    throw failed;
  } finally {
    await gateway.stop();
  }
}
