/** A request that its client takes back while it is still judged: it is not sent, and what was charged is given back. */
import { expect, it } from "vitest";
import { ActiveCount } from "../../src/gateway/active.ts";
import type { Channel } from "../../src/gateway/channel.ts";
import type { Desk } from "../../src/gateway/desk.ts";
import type { Exchange } from "../../src/gateway/exchange.ts";
import { forward } from "../../src/gateway/forward.ts";
import { passNotification, writeNotificationFor } from "../../src/gateway/one-way.ts";
import { underWay } from "../../src/gateway/open-exchange.ts";
import { NO_CAPS } from "../../src/gateway/result-caps.ts";
import { createSession } from "../../src/gateway/session.ts";
import { type Message, readMessage } from "../../src/mcp/message.ts";
import { isRefusal, type Refusal } from "../../src/mcp/refusal.ts";
import { Meter } from "../../src/observe/meter.ts";

function read<Kind extends Message["kind"]>(text: string, kind: Kind): Extract<Message, { kind: Kind }> {
  const message = readMessage(Buffer.from(text), { bodyLimitBytes: 4096 });
  if (isRefusal(message) || message.kind !== kind) throw new Error("no such message");
  return message as Extract<Message, { kind: Kind }>;
}

it("is answered, never sent, and its id is free again", async () => {
  let sent = 0;
  let written = 0;
  const upstream = { exchange: () => void sent++, waiting: 0, close: async () => undefined };
  const endpoint = { id: "s", name: "alpha", upstream, results: NO_CAPS, extraMeta: [] } as unknown as Exchange["endpoint"];
  const grant = { id: "g", label: "first" } as unknown as Exchange["grant"];
  const seed = { grantId: "g", serverId: "s", upstreamSession: "u", protocolVersion: "2025-11-25", upstreamVersion: "2025-11-25" };
  const session = createSession({ ...seed, client: {}, nowMs: 0, endpoint }, "ours");
  const desk = {
    active: new ActiveCount(),
    meter: new Meter(),
    version: "0",
    access: { isCurrent: async () => true },
    store: { write: async () => void written++ },
    say: () => undefined,
  } as unknown as Desk;
  const request = read('{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"echo"}}', "request");
  const exchange = {
    endpoint,
    grant,
    session,
    request,
    claim: { era: "legacy" },
    subject: { kind: "tool_call", name: "echo" },
  } as unknown as Exchange;
  const answers: string[] = [];
  const channel: Channel = {
    answer: (_status, message) => void answers.push(message.toString()),
    openStream: () => undefined,
    onGone: () => undefined,
  };
  const refused: Refusal[] = [];
  const statuses: number[] = [];

  await underWay(
    desk,
    exchange,
    async () => {
      const cancel = read('{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}', "notification");
      // The server knows nothing of it yet.
      expect(writeNotificationFor(session, cancel)).toBeUndefined();
      const routed = { session, claim: exchange.claim, revision: "2025-11-25" } as unknown as Parameters<typeof passNotification>[2];
      await passNotification(desk, { grant, endpoint }, routed, cancel, (status) => statuses.push(status));
      await underWay(
        desk,
        exchange,
        async () => void answers.push("passed"),
        async (refusal) => void refused.push(refusal),
      );
      await forward(desk, exchange, channel);
    },
    async (refusal) => void refused.push(refusal),
  );

  expect(statuses).toEqual([202]);
  expect(refused).toMatchObject([{ detail: "id_in_use", status: 400 }]);
  expect(answers).toHaveLength(1);
  expect(JSON.parse(answers[0] ?? "")).toMatchObject({ id: "a", result: { isError: true } });
  expect([sent, written, session.inFlight.size]).toEqual([0, 1, 0]);
});
