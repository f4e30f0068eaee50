/** The life of connections on the quick way: how they go on, wait, are handed over, end, and what a stop does to them. */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { FrontServer } from "../../src/http/front-server.ts";
import { MAX_WAITING_BYTES } from "../../src/http/quick-connection.ts";
import type { HttpReply, HttpRequest } from "../../src/http/request.ts";
import { readAnswer } from "../support/raw-http.ts";

const BOUNDS = { headersTimeout: 2_000, requestTimeout: 60_000, keepAliveTimeout: 5_000 };
const PATIENCE_MS = 20_000;

type Act = (request: HttpRequest, reply: HttpReply) => void;

interface Setup {
  readonly server: FrontServer;
  /** Requests that Node's server was given. */
  readonly handed: string[];
  open(): Promise<Client>;
}

interface Client {
  readonly socket: Socket;
  readonly text: () => string;
  readonly isClosed: () => boolean;
  send(text: string): void;
}

const undo: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const act of undo.splice(0).reverse()) await act();
});

async function until(holds: () => boolean, what: string): Promise<void> {
  for (const start = performance.now(); !holds(); ) {
    if (performance.now() - start > PATIENCE_MS) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const answerDone: Act = (_request, reply) => void reply.writeHead(200, { "content-length": 4 }).end(Buffer.from("done"));

async function start(act: Act = answerDone): Promise<Setup> {
  const handed: string[] = [];
  const otherwise = (request: IncomingMessage, response: HttpReply): void => {
    handed.push(`${request.method} ${request.url}`);
    request.resume();
    request.on("end", () => response.writeHead(200, { "content-length": 4 }).end(Buffer.from("node")));
  };
  const server = new FrontServer({ node: BOUNDS, find: (target) => (target.startsWith("/mcp") ? act : undefined), otherwise });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  undo.push(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  });
  return {
    server,
    handed,
    open: async () => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      let text = "";
      let closed = false;
      socket.setEncoding("latin1").on("data", (chunk: string) => {
        text += chunk;
      });
      socket.on("error", () => undefined);
      socket.on("close", () => {
        closed = true;
      });
      undo.push(() => void socket.destroy());
      await once(socket, "connect");
      return { socket, text: () => text, isClosed: () => closed, send: (bytes) => void socket.write(bytes, "latin1") };
    },
  };
}

const post = (body = "hello", fields = "", target = "/mcp/a"): string =>
  `POST ${target} HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n${fields}\r\n${body}`;
const count = (text: string, part: string): number => text.split(part).length - 1;

describe("a connection", () => {
  test("goes on after a reply, and ends after one that says so", async () => {
    const { open, server } = await start();
    const client = await open();
    for (let round = 1; round <= 3; round++) {
      client.send(post());
      await until(() => count(client.text(), "done") === round, "the answer");
    }
    expect(client.text()).toContain("Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n\r\ndone");
    expect(server.quickCount).toBe(1);
    client.send(post("hello", "Connection: close\r\n"));
    await until(client.isClosed, "the end");
    expect(client.text()).toMatch(/Connection: close\r\n\r\ndone$/);
    expect(server.quickCount).toBe(0);
  });

  test("that brings what is not plain is Node's from there on, with every byte", async () => {
    const { open, server, handed } = await start();
    const client = await open();
    client.send(post());
    await until(() => client.text().endsWith("done"), "the quick answer");
    client.send("GET /mcp/a HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => client.text().endsWith("node"), "Node's answer");
    client.send(post("hello", "", "/mcp/b"));
    await until(() => count(client.text(), "node") === 2, "Node's answer again");
    expect(handed).toEqual(["GET /mcp/a", "POST /mcp/b"]);
    expect(server.quickCount).toBe(0);
  });

  test("whose target nobody serves on the quick way is Node's", async () => {
    const { open, handed } = await start();
    const client = await open();
    client.send(post("hello", "", "/connect"));
    await until(() => client.text().endsWith("node"), "Node's answer");
    expect(handed).toEqual(["POST /connect"]);
  });

  test("that says nothing is closed in time, and one that was answered is kept for longer", async () => {
    const { open, server } = await start();
    const silent = await open();
    const served = await open();
    served.send(post());
    await until(() => served.text().endsWith("done"), "the answer");
    await until(() => server.quickCount === 2, "both connections");
    for (let look = 0; look < 4; look++) server.look();
    await until(silent.isClosed, "the end of the silent one");
    expect(server.quickCount).toBe(1);
    for (let look = 0; look < 8; look++) server.look();
    await until(served.isClosed, "the end of the idle one");
  });

  test.each(["POST /mcp/a HTTP/1.1\r\nHo", post().slice(0, -2)])("whose request does not come on is Node's: %j", async (beginning) => {
    const { open, server, handed } = await start();
    const client = await open();
    client.send(beginning);
    await until(() => server.quickCount === 1, "the connection");
    await until(() => {
      server.look();
      return server.quickCount === 0;
    }, "the hand-over");
    client.send(post().slice(beginning.length));
    await until(() => client.text().endsWith("node"), "Node's answer");
    expect(handed).toEqual(["POST /mcp/a"]);
  });

  test("that asks again before its answer waits for its turn", async () => {
    const replies: HttpReply[] = [];
    const bodies: string[] = [];
    const { open } = await start((request, reply) => {
      replies.push(reply);
      if ("body" in request) bodies.push(request.body.toString());
    });
    const client = await open();
    client.send(post("first"));
    await until(() => replies.length === 1, "the first request");
    client.send(post("second"));
    client.send("");
    await new Promise((resolve) => setImmediate(resolve));
    expect(bodies).toEqual(["first"]);
    replies[0]?.writeHead(200).end(Buffer.from("one"));
    await until(() => replies.length === 2, "the second request");
    // A reply that has ended says nothing more, whatever comes next on its connection.
    replies[0]?.end(Buffer.from("again"));
    replies[0]?.write(Buffer.from("again"));
    replies[1]?.writeHead(200).end(Buffer.from("two"));
    await until(() => client.text().endsWith("two"), "the second answer");
    expect(client.text()).not.toContain("again");
    expect(bodies).toEqual(["first", "second"]);
  });

  test("that sends without end while it is answered is let wait", async () => {
    const replies: HttpReply[] = [];
    const { open } = await start((_request, reply) => void replies.push(reply));
    const client = await open();
    client.send(post());
    await until(() => replies.length === 1, "the request");
    const flood = "x".repeat(1024 * 1024);
    let flushed = 0;
    for (let round = 0; round < 32; round++) client.socket.write(flood, () => void flushed++);
    let before = -1;
    await until(() => {
      const stands = client.socket.bytesWritten > 0 && client.socket.writableLength > MAX_WAITING_BYTES && flushed === before;
      before = flushed;
      return stands;
    }, "the client to stand still");
    expect(flushed).toBeLessThan(32);
    replies[0]?.writeHead(200).end(Buffer.from("done"));
    // What it sent is no request: Node's server says so.
    await until(client.isClosed, "the end");
    expect(client.text()).toContain("done");
  });
});

test("what comes behind a reply that ends its connection is not served", async () => {
  const bodies: string[] = [];
  const { open, handed } = await start((request, reply) => {
    if ("body" in request) bodies.push(request.body.toString());
    setImmediate(() => reply.writeHead(200, { connection: "close" }).end(Buffer.from("done")));
  });
  const client = await open();
  client.send(post("first"));
  await until(() => bodies.length === 1, "the request");
  client.send(post("second"));
  await until(client.isClosed, "the end");
  expect(bodies).toEqual(["first"]);
  expect(handed).toEqual([]);
  expect(client.text()).toMatch(/Connection: close\r\n\r\ndone$/);
});

describe("a client that is gone", () => {
  test.each(["destroy", "resetAndDestroy", "end"] as const)("by `%s` is noticed while its answer is made", async (how) => {
    const gone: boolean[] = [];
    const replies: HttpReply[] = [];
    const { open, server } = await start((_request, reply) => {
      replies.push(reply);
      reply.on("close", () => void gone.push(reply.writableFinished));
    });
    const client = await open();
    client.send(post());
    await until(() => replies.length === 1, "the request");
    client.socket[how]();
    await until(() => gone.length === 1, "the end");
    expect(gone).toEqual([false]);
    expect(replies[0]?.destroyed).toBe(true);
    replies[0]?.writeHead(200).end(Buffer.from("too late"));
    expect(server.quickCount).toBe(0);
  });

  test("while a stream is written takes no more", async () => {
    let reply: HttpReply | undefined;
    let closed = false;
    const { open } = await start((_request, given) => {
      reply = given;
      given.on("close", () => {
        closed = true;
      });
      given.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    });
    const client = await open();
    client.send(post());
    await until(() => client.text().includes("\r\n\r\n"), "the head");
    client.socket.destroy();
    await until(() => closed, "the end");
    expect(reply?.write(Buffer.from("more"))).toBe(true);
    expect(reply?.writableFinished).toBe(false);
  });
});

describe("a reply", () => {
  test("is one body, or chunks, as Node writes them", async () => {
    const act: Act = (request, reply) => {
      switch (request.url) {
        case "/mcp/body":
          return void reply.writeHead(418, { "content-type": "text/plain", "x-a": 7 }).end(Buffer.from("tea"));
        case "/mcp/large":
          return void reply.writeHead(200, { "content-type": "text/plain" }).end(Buffer.alloc(300_000, "b"));
        case "/mcp/empty":
          return void reply.writeHead(202, { "content-length": 0 }).end();
        case "/mcp/none":
          return void reply.writeHead(204).end();
        case "/mcp/closing":
          return void reply.writeHead(401, { connection: "close" }).end(Buffer.from("no"));
        default:
          reply.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
          reply.write(Buffer.from("data: 1\n\n"));
          reply.write(Buffer.alloc(0));
          setImmediate(() => {
            reply.write(Buffer.from("data: 2\n\n"));
            reply.end(Buffer.from("data: 3\n\n"));
          });
      }
    };
    const { open } = await start(act);
    const node = createServer((request, response) => {
      request.resume();
      request.on("end", () => act(request, response));
    });
    await new Promise<void>((resolve) => node.listen(0, "127.0.0.1", resolve));
    undo.push(() => void node.close());
    for (const target of ["/mcp/body", "/mcp/large", "/mcp/empty", "/mcp/none", "/mcp/closing", "/mcp/stream"]) {
      const client = await open();
      const other = connect((node.address() as AddressInfo).port, "127.0.0.1");
      undo.push(() => void other.destroy());
      let alone = "";
      other.setEncoding("latin1").on("data", (chunk: string) => {
        alone += chunk;
      });
      client.send(post("hello", "Connection: close\r\n", target));
      other.write(post("hello", "Connection: close\r\n", target));
      await Promise.all([until(client.isClosed, target), once(other, "close")]);
      const [ours, nodes] = [client.text(), alone].map((text) => readAnswer(Buffer.from(text, "latin1")));
      expect(ours?.status, target).toBe(nodes?.status);
      expect(ours?.text === nodes?.text, target).toBe(true);
      // A body that is known whole has its length told, where Node may write it in chunks.
      const { date, "content-length": length, "transfer-encoding": _coding, ...fields } = ours?.headers ?? {};
      const { date: _date, "content-length": _length, "transfer-encoding": _nodes, ...nodesFields } = nodes?.headers ?? {};
      expect(fields, target).toEqual(nodesFields);
      expect(length, target).toBe(["/mcp/none", "/mcp/stream"].includes(target) ? undefined : String(ours?.text.length));
      expect(new Date(date ?? "").getTime()).toBeGreaterThan(Date.now() - 60_000);
    }
  });

  test("asks for a pause when its client does not read, and says when to go on", async () => {
    let reply: HttpReply | undefined;
    const { open } = await start((_request, given) => {
      reply = given;
      given.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    });
    const client = await open();
    client.socket.pause();
    client.send(post());
    await until(() => reply !== undefined, "the request");
    // Until the system's buffers are full as well.
    await until(() => reply?.write(Buffer.alloc(256 * 1024, "b")) === false, "the pause");
    expect(reply?.writableNeedDrain).toBe(true);
    let drained = 0;
    reply?.once("drain", () => void drained++);
    client.socket.resume();
    await until(() => drained === 1, "the drain");
    reply?.end();
    await until(() => reply?.writableFinished === true, "the end");
    expect(reply?.destroyed).toBe(true);
  });

  test.each([
    ["a value that breaks out of its line", { "x-a": "b\r\nx-c: d" }],
    ["a value with NUL", { "x-a": "b\0" }],
    ["a name that is none", { "x a": "b" }],
    ["a framing of its own", { "transfer-encoding": "chunked" }],
    ["options of the connection", { connection: "upgrade" }],
  ])("with %s is a bug", async (_what, fields) => {
    const faults: unknown[] = [];
    const { open } = await start((_request, reply) => {
      try {
        reply.writeHead(200, fields);
      } catch (error) {
        faults.push(error);
        reply.writeHead(503, { "content-length": 0 }).end();
      }
    });
    const client = await open();
    client.send(post());
    await until(() => client.text().includes("503 Service Unavailable"), "the answer");
    expect(faults).toHaveLength(1);
  });

  test("that is not as long as it says closes its connection", async () => {
    const faults: unknown[] = [];
    const { open } = await start((_request, reply) => {
      try {
        reply.writeHead(200, { "content-length": 5 }).end(Buffer.from("longer than that"));
      } catch (error) {
        faults.push(error);
      }
    });
    const client = await open();
    client.send(post());
    await until(client.isClosed, "the end");
    expect(client.text()).toBe("");
    expect(faults).toHaveLength(1);
  });
});

describe("a stop", () => {
  test("closes what is idle on both ways, lets an answer end, and is over then", async () => {
    let reply: HttpReply | undefined;
    const { open, server } = await start((request, given) => {
      if (request.url === "/mcp/wait") reply = given;
      else answerDone(request, given);
    });
    const [idle, busy, nodes, silent] = [await open(), await open(), await open(), await open()];
    idle.send(post());
    busy.send(post("hello", "", "/mcp/wait"));
    nodes.send("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n");
    await until(() => idle.text().endsWith("done") && reply !== undefined && nodes.text().endsWith("node"), "all three");
    // Node's server calls a connection idle a moment after its answer.
    await new Promise((resolve) => setImmediate(resolve));
    let over = false;
    const closed = new Promise<void>((resolve) => {
      server.close(() => {
        over = true;
        resolve();
      });
    });
    await until(() => idle.isClosed() && silent.isClosed() && nodes.isClosed(), "the idle ones to be closed");
    expect(over).toBe(false);
    expect(busy.isClosed()).toBe(false);
    reply?.writeHead(200).end(Buffer.from("at last"));
    await closed;
    await until(busy.isClosed, "the last one");
    expect(busy.text()).toMatch(/Connection: close\r\n\r\nat last$/);
  });

  test("ends a connection whose stream had begun before, with the stream", async () => {
    let reply: HttpReply | undefined;
    const { open, server } = await start((_request, given) => {
      reply = given;
      given.writeHead(200, { "content-type": "text/event-stream" }).flushHeaders();
    });
    const client = await open();
    client.send(post());
    await until(() => client.text().includes("\r\n\r\n"), "the head");
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    reply?.end(Buffer.from("last"));
    await closed;
    await until(client.isClosed, "the end");
    expect(client.text()).toContain("Connection: keep-alive");
    expect(client.text()).toMatch(/4\r\nlast\r\n0\r\n\r\n$/);
  });

  test("that does not wait closes what is under way, and tells it", async () => {
    let finished: boolean | undefined;
    let isAsked = false;
    const { open, server } = await start((_request, reply) => {
      isAsked = true;
      reply.on("close", () => {
        finished = reply.writableFinished;
      });
    });
    const client = await open();
    client.send(post());
    await until(() => isAsked, "the request");
    server.closeAllConnections();
    await until(client.isClosed, "the end");
    await until(() => finished === false, "the word");
  });
});

test("many requests on one connection leave nothing behind", async () => {
  const { open } = await start((request, reply) => {
    const body = "body" in request ? request.body : Buffer.alloc(0);
    reply.on("close", () => undefined);
    reply.writeHead(200, { "content-length": body.length }).end(body);
  });
  const client = await open();
  client.socket.removeAllListeners("data");
  const body = "b".repeat(2_000);
  const text = post(body);
  const round = async (times: number): Promise<void> => {
    for (let index = 0; index < times; index++) {
      client.socket.write(text, "latin1");
      for (let seen = 0; seen < body.length; ) seen += ((await once(client.socket, "data"))[0] as string).length;
    }
  };
  const collect = async (): Promise<number> => {
    const { setFlagsFromString } = await import("node:v8");
    const { runInNewContext } = await import("node:vm");
    setFlagsFromString("--expose-gc");
    (runInNewContext("gc") as () => void)();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  await round(1_000);
  const before = await collect();
  await round(10_000);
  // Ten thousand requests of two kilobytes: were the bodies kept, or the texts of the fields, it would be far more.
  expect((await collect()) - before).toBeLessThan(4_000_000);
});
