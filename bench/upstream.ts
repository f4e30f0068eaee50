/**
 * The server behind everything that is measured: as little as an MCP server can be. It reads HTTP/1.1 off the socket by
 * hand, answers `tools/call` with a fixed result under the request's id, and the few other methods in the plain way.
 * Run as a program: `node bench/upstream.ts PORT [TOOLS [ANSWER_CHARACTERS [EVENTS]]]`; with events, a call is answered
 * by a stream of so many, the last of which is its result.
 */
import { createServer, type Socket } from "node:net";
import { answerMessage, writeResult } from "./upstream-answers.ts";

const HEAD_END = Buffer.from("\r\n\r\n");
const ID = Buffer.from('"id":');
const CALL = Buffer.from('"method":"tools/call"');
const TOKEN = /"progressToken":(\d+|"[^"]*")/;
const LENGTH = /\r\ncontent-length: *(\d+)/i;

const [port, tools = 1, answerCharacters = 200, events = 0] = process.argv.slice(2).map(Number);
const result = writeResult(answerCharacters);

function answer(body: string, type = "application/json"): Buffer {
  return Buffer.from(`HTTP/1.1 200 OK\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

/** Progress under the token, told once and kept: clients of the bench all have the same. */
let told: { readonly token: string; readonly text: string } | undefined;

function tellProgress(token: string): string {
  if (told?.token === token) return told.text;
  let text = "";
  for (let event = 1; event < events; event++) {
    text += `data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":${token},"progress":${event},"message":"step"}}\n\n`;
  }
  told = { token, text };
  return text;
}

function answerCall(body: Buffer): Buffer {
  const from = body.indexOf(ID) + ID.byteLength;
  let end = from;
  while (body[end] !== 44 && body[end] !== 125) end++;
  const message = `{"jsonrpc":"2.0","id":${body.subarray(from, end).toString("latin1")}${result}`;
  if (events === 0) return answer(message);
  const token = TOKEN.exec(body.toString("latin1"))?.[1] ?? "7";
  return answer(`${tellProgress(token)}data: ${message}\n\n`, "text/event-stream");
}

function answerOther(body: Buffer): Buffer {
  const text = answerMessage(body.toString(), { tools, result });
  return text === undefined ? Buffer.from("HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n") : answer(text);
}

function serve(socket: Socket): void {
  let pieces: Buffer[] = [];
  let held = 0;
  let wanted = 0;
  socket.setNoDelay(true);
  socket.on("error", () => socket.destroy());
  socket.on("data", (chunk: Buffer) => {
    pieces.push(chunk);
    held += chunk.byteLength;
    // A large body comes in many pieces, which are joined once.
    if (held < wanted) return;
    let rest: Buffer = pieces.length === 1 ? chunk : Buffer.concat(pieces);
    wanted = 0;
    for (;;) {
      const headEnd = rest.indexOf(HEAD_END);
      if (headEnd < 0) break;
      const head = rest.subarray(0, headEnd).toString("latin1");
      const end = headEnd + 4 + Number(LENGTH.exec(head)?.[1] ?? 0);
      if (rest.byteLength < end) {
        wanted = end;
        break;
      }
      const body = rest.subarray(headEnd + 4, end);
      rest = rest.subarray(end);
      if (head.startsWith("POST")) socket.write(body.includes(CALL) ? answerCall(body) : answerOther(body));
      else socket.write("HTTP/1.1 405 Method Not Allowed\r\ncontent-length: 0\r\n\r\n");
    }
    pieces = rest.byteLength === 0 ? [] : [rest];
    held = rest.byteLength;
  });
}

createServer(serve).listen(port, "127.0.0.1");
