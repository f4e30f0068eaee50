/** The clients of the matrix behind one shape: both generations of the SDK, the second in each era. */
import { Client as ClientV2, StreamableHTTPClientTransport as TransportV2 } from "@modelcontextprotocol/client";
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import type { Transport } from "@modelcontextprotocol/sdk/shared/transport.js";
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ToolListChangedNotificationSchema,
} from "@modelcontextprotocol/sdk/types.js";

export type Era = "legacy" | "modern";

export interface Called {
  readonly text: string;
  readonly isError: boolean;
}

/** Both generations, as far as the matrix asks. */
export interface MatrixClient {
  listTools(): Promise<string[]>;
  call(name: string, args: Readonly<Record<string, unknown>>, onProgress?: (progress: number) => void): Promise<Called>;
  listResources(): Promise<string[]>;
  listTemplates(): Promise<string[]>;
  read(uri: string): Promise<number>;
  listPrompts(): Promise<string[]>;
  getPrompt(name: string): Promise<number>;
  complete(prompt: string, argument: string): Promise<readonly string[]>;
  /** Does it, and answers once the client has heard that the tools changed. */
  hearChange(act: () => Promise<unknown>): Promise<void>;
  close(): Promise<void>;
}

export interface MatrixClientKind {
  readonly name: string;
  readonly era: Era;
  connect(url: URL, token: string): Promise<MatrixClient>;
}

/** What the client says when a server asks: enough for every form that the servers have. */
const ANSWERS = {
  form: { name: "Ada", check: true, username: "Ada", email: "ada@example.com" },
  model: { role: "assistant" as const, model: "none", content: { type: "text" as const, text: "Well said." } },
  roots: { roots: [{ uri: "file:///tmp/here", name: "here" }] },
};
export const ANSWERED = { elicitation: "Ada", sampling: "Well said.", roots: "file:///tmp/here" } as const;
const CAPABILITIES = { elicitation: {}, sampling: {}, roots: {} };
const CHANGE_TIMEOUT_MS = 10_000;

const initOf = (token: string): { headers: Record<string, string> } => ({ headers: { authorization: `Bearer ${token}` } });

function readCalled(result: unknown): Called {
  const { content = [], isError = false } = result as { content?: readonly { text?: string }[]; isError?: boolean };
  return { text: content.map(({ text = "" }) => text).join("\n"), isError };
}

/** What both generations call alike. */
interface Shared {
  listTools(): Promise<{ tools: { name: string }[] }>;
  listResources(): Promise<{ resources: { uri: string }[] }>;
  listResourceTemplates(): Promise<{ resourceTemplates: { uriTemplate: string }[] }>;
  readResource(params: { uri: string }): Promise<{ contents: unknown[] }>;
  listPrompts(): Promise<{ prompts: { name: string }[] }>;
  getPrompt(params: { name: string }): Promise<{ messages: unknown[] }>;
  complete(params: {
    ref: { type: "ref/prompt"; name: string };
    argument: { name: string; value: string };
  }): Promise<{ completion: { values: string[] } }>;
  close(): Promise<void>;
}

function shape(client: Shared): Omit<MatrixClient, "call" | "hearChange"> {
  return {
    listTools: async () => (await client.listTools()).tools.map(({ name }) => name),
    listResources: async () => (await client.listResources()).resources.map(({ uri }) => uri),
    listTemplates: async () => (await client.listResourceTemplates()).resourceTemplates.map(({ uriTemplate }) => uriTemplate),
    read: async (uri) => (await client.readResource({ uri })).contents.length,
    listPrompts: async () => (await client.listPrompts()).prompts.map(({ name }) => name),
    getPrompt: async (name) => (await client.getPrompt({ name })).messages.length,
    complete: async (name, argument) =>
      (await client.complete({ ref: { type: "ref/prompt", name }, argument: { name: argument, value: "" } })).completion.values,
    close: () => client.close(),
  };
}

async function within(heard: Promise<void>, act: () => Promise<unknown>): Promise<void> {
  await act();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("no word of the change came")), CHANGE_TIMEOUT_MS);
  });
  await Promise.race([heard, late]).finally(() => clearTimeout(timer));
}

async function connectV1(url: URL, token: string): Promise<MatrixClient> {
  const client = new ClientV1({ name: "first-generation", version: "1.0.0" }, { capabilities: CAPABILITIES });
  const changed = Promise.withResolvers<void>();
  client.setRequestHandler(ElicitRequestSchema, () => ({ action: "accept", content: ANSWERS.form }));
  client.setRequestHandler(CreateMessageRequestSchema, () => ANSWERS.model);
  client.setRequestHandler(ListRootsRequestSchema, () => ANSWERS.roots);
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => changed.resolve());
  await client.connect(new TransportV1(url, { requestInit: initOf(token) }) as Transport);
  return {
    ...shape(client as Shared),
    call: async (name, args, onProgress) =>
      readCalled(
        await client.callTool(
          { name, arguments: args },
          undefined,
          onProgress ? { onprogress: ({ progress }) => onProgress(progress) } : {},
        ),
      ),
    hearChange: (act) => within(changed.promise, act),
  };
}

async function connectV2(era: Era, url: URL, token: string): Promise<MatrixClient> {
  const pinned = era === "modern" ? { versionNegotiation: { mode: { pin: "2026-07-28" as const } } } : {};
  const client = new ClientV2({ name: "second-generation", version: "2.0.0" }, { capabilities: CAPABILITIES, ...pinned });
  const changed = Promise.withResolvers<void>();
  client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: ANSWERS.form }));
  client.setRequestHandler("sampling/createMessage", () => ANSWERS.model);
  client.setRequestHandler("roots/list", () => ANSWERS.roots);
  client.setNotificationHandler("notifications/tools/list_changed", () => changed.resolve());
  await client.connect(new TransportV2(url, { requestInit: initOf(token) }));
  return {
    ...shape(client as unknown as Shared),
    call: async (name, args, onProgress) =>
      readCalled(
        await client.callTool({ name, arguments: args }, onProgress ? { onprogress: ({ progress }) => onProgress(progress) } : {}),
      ),
    hearChange: async (act) => {
      const listening = era === "modern" ? await client.listen({ toolsListChanged: true }) : undefined;
      await within(changed.promise, act);
      await listening?.close();
    },
  };
}

export const CLIENTS: readonly MatrixClientKind[] = [
  { name: "SDK 1", era: "legacy", connect: connectV1 },
  { name: "SDK 2, legacy", era: "legacy", connect: (url, token) => connectV2("legacy", url, token) },
  { name: "SDK 2, modern", era: "modern", connect: (url, token) => connectV2("modern", url, token) },
];
