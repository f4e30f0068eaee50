import { describe, expect, test } from "vitest";
import { type CredentialPort, createAuthorizedUpstream } from "../../src/upstream/authorized-upstream.ts";
import type { UpstreamRequest } from "../../src/upstream/http-upstream.ts";
import type { Credential } from "../../src/upstream/oauth/credential-source.ts";
import { type Answer, createRecorder, openUpstream, startServer, type Told } from "./loopback-server.ts";

const ready = (version: number): Credential => ({ kind: "ready", authorization: `Bearer token-${version}`, version });
const CALL: UpstreamRequest = { method: "POST", headers: { "content-type": "application/json" }, body: Buffer.from('{"n":1.0}') };

interface Fake extends CredentialPort {
  readonly replaced: number[];
  readonly wanted: (readonly string[])[];
  renewals: number;
}

function fake(answers: { current?: Credential; renewed?: Credential; replacement?: Credential } = {}): Fake {
  const port: Fake = {
    replaced: [],
    wanted: [],
    renewals: 0,
    current: () => answers.current ?? ready(1),
    renew: async () => (port.renewals++, answers.renewed ?? ready(2)),
    replace: async (version) => (port.replaced.push(version), answers.replacement ?? ready(version + 1)),
    wantScopes: (scopes) => void port.wanted.push(scopes),
  };
  return port;
}

async function send(
  url: string,
  port: CredentialPort,
  request: UpstreamRequest = CALL,
  headers: Record<string, string> = {},
): Promise<Told> {
  const recorder = createRecorder();
  createAuthorizedUpstream(openUpstream(url, headers), port).exchange(request, recorder);
  return await recorder.done;
}

const refuse =
  (status: number, challenge: string): Answer =>
  (_request, response) =>
    void response
      .writeHead(status, { "www-authenticate": challenge, "content-type": "application/json" })
      .end('{"jsonrpc":"2.0","id":1,"error":{}}');

describe("a server with a credential that changes", () => {
  test("gets the one that holds, and the other headers as ever", async () => {
    const server = await startServer((_request, response) => void response.writeHead(200, { "www-authenticate": "Bearer x=y" }).end("{}"));
    const told = await send(
      server.url,
      fake(),
      { ...CALL, headers: { ...CALL.headers, authorization: "Bearer the-clients" } },
      { "x-key": "fixed" },
    );
    expect(told).toMatchObject({ status: 200, body: "{}", ended: true, faults: [] });
    expect(told.headers["www-authenticate"]).toBeUndefined();
    expect(server.arrived).toHaveLength(1);
    expect(server.arrived[0]?.headers).toMatchObject({ authorization: "Bearer token-1", "x-key": "fixed" });
    expect(server.arrived[0]?.body).toBe('{"n":1.0}');
  });

  test("that refuses it is asked once more, with another", async () => {
    const server = await startServer((request, response, raw) =>
      request.headers.authorization === "Bearer token-1"
        ? refuse(401, 'Bearer scope="x"')(request, response, raw)
        : void response.end("{}"),
    );
    const port = fake();
    expect(await send(server.url, port)).toMatchObject({ status: 200, body: "{}", ended: true });
    expect(port.replaced).toEqual([1]);
    expect(server.arrived.map(({ headers }) => headers.authorization)).toEqual(["Bearer token-1", "Bearer token-2"]);
    expect(server.arrived[1]?.body).toBe('{"n":1.0}');
  });

  test("that refuses every one is asked twice, and what it says goes nowhere", async () => {
    const server = await startServer(refuse(401, 'Bearer realm="upstream", scope="x"'));
    const told = await send(server.url, fake());
    expect(told).toMatchObject({ status: undefined, body: "", ended: false });
    expect(told.faults).toMatchObject([{ reason: "login_required", sent: "unknown" }]);
    expect(server.arrived).toHaveLength(2);
  });

  test("for which there is no other is asked once", async () => {
    const server = await startServer(refuse(401, "Bearer"));
    const told = await send(server.url, fake({ replacement: { kind: "absent", reason: "needs_login" } }));
    expect(told.faults).toMatchObject([{ reason: "login_required", sent: "unknown" }]);
    expect(server.arrived).toHaveLength(1);
  });

  test.each([
    [{ kind: "absent", reason: "not_connected" }, "login_required"],
    [{ kind: "absent", reason: "needs_login" }, "login_required"],
    [{ kind: "absent", reason: "unavailable" }, "login_unavailable"],
  ] as const)("is asked nothing where the credential is %o", async (current, reason) => {
    const server = await startServer((_request, response) => void response.end("{}"));
    const recorder = createRecorder();
    const exchange = createAuthorizedUpstream(openUpstream(server.url), fake({ current })).exchange(CALL, recorder);
    expect(recorder.told.faults).toEqual([]);
    expect(exchange).toBeDefined();
    expect((await recorder.done).faults).toMatchObject([{ reason, sent: "not_sent" }]);
    expect(server.arrived).toEqual([]);
  });

  test("waits for a credential that has to be renewed", async () => {
    const server = await startServer((_request, response) => void response.end("{}"));
    const port = fake({ current: { kind: "stale" } });
    expect(await send(server.url, port)).toMatchObject({ status: 200 });
    expect(port.renewals).toBe(1);
    expect(server.arrived[0]?.headers.authorization).toBe("Bearer token-2");
  });

  test("is not asked where the call was cancelled while it waited, or before", async () => {
    const server = await startServer((_request, response) => void response.end("{}"));
    const gate = Promise.withResolvers<Credential>();
    const port = { ...fake({ current: { kind: "stale" } }), renew: () => gate.promise };
    const recorder = createRecorder();
    createAuthorizedUpstream(openUpstream(server.url), port).exchange(CALL, recorder).cancel();
    expect((await recorder.done).faults).toMatchObject([{ reason: "cancelled", sent: "not_sent" }]);
    gate.resolve(ready(1));
    await gate.promise;
    const aborted = await send(server.url, fake(), { ...CALL, signal: AbortSignal.abort() });
    expect(aborted.faults).toMatchObject([{ reason: "cancelled", sent: "not_sent" }]);
    expect(server.arrived).toEqual([]);
  });

  test("that wants further scopes is not asked again; what it wants is remembered", async () => {
    const server = await startServer(refuse(403, 'Bearer error="insufficient_scope", scope="read write"'));
    const port = fake();
    expect((await send(server.url, port)).faults).toMatchObject([{ reason: "insufficient_scope", sent: "unknown" }]);
    expect(port.wanted).toEqual([["read", "write"]]);
    expect(server.arrived).toHaveLength(1);
  });

  test("that forbids without a word about scopes is told as it is", async () => {
    const server = await startServer((_request, response) => void response.writeHead(403).end("{}"));
    expect(await send(server.url, fake())).toMatchObject({ status: 403, ended: true });
  });

  test("that breaks off is not asked again: what it did is not known", async () => {
    const server = await startServer((_request, _response, raw) => void raw.socket.destroy());
    const port = fake();
    expect((await send(server.url, port)).faults).toMatchObject([{ reason: "broken", sent: "unknown" }]);
    expect(server.arrived).toHaveLength(1);
    expect(port.replaced).toEqual([]);
  });
});
