/**
 * What a request is about: the name, URI, arguments or cursor that a policy judges, read from `params` with their types
 * checked. What does not fit its method is refused here and never reaches a server.
 */
import { createJsonObject, isJsonList, isJsonObject, type Json, type JsonObject } from "../kernel/json.ts";
import type { Request } from "./message.ts";
import { type Judgement, ROUND_METHODS } from "./methods.ts";
import { type Refusal, refuseParams } from "./refusal.ts";

export const MAX_NAME_CHARACTERS = 1024;
export const MAX_URI_CHARACTERS = 8192;
export const MAX_CURSOR_CHARACTERS = 16_384;
export const MAX_LISTEN_RESOURCES = 1024;

export type ListJudgement = "tool_list" | "prompt_list" | "resource_list" | "template_list";

export interface ListenFilter {
  readonly toolsListChanged: boolean;
  readonly promptsListChanged: boolean;
  readonly resourcesListChanged: boolean;
  readonly resourceSubscriptions: readonly string[];
}

export type Subject =
  | { readonly kind: "tool_call"; readonly name: string; readonly args: JsonObject }
  | { readonly kind: "prompt_get"; readonly name: string; readonly args: JsonObject }
  | { readonly kind: "resource_read" | "subscribe" | "unsubscribe"; readonly uri: string }
  | { readonly kind: "completion"; readonly prompt: string; readonly uri: undefined }
  | { readonly kind: "completion"; readonly prompt: undefined; readonly uri: string }
  | { readonly kind: "listen"; readonly filter: ListenFilter }
  | { readonly kind: ListJudgement; readonly cursor: string | undefined }
  | { readonly kind: "plain" };

const EMPTY: JsonObject = Object.freeze(createJsonObject());

function isText(value: Json | undefined, maxCharacters: number): value is string {
  return typeof value === "string" && value !== "" && value.length <= maxCharacters;
}

/** Reads what the request is about, for a judgement other than `refused`. */
export function readSubject(request: Request, judgement: Exclude<Judgement, "refused">): Subject | Refusal {
  const params = request.params ?? EMPTY;
  switch (judgement) {
    case "tool_call":
    case "prompt_get":
      return readNamed(request, params, judgement);
    case "resource_read":
    case "subscribe":
    case "unsubscribe": {
      const uri = params["uri"];
      if (!isText(uri, MAX_URI_CHARACTERS)) return refuseParams(request.id, "`uri` must be a text", "uri");
      return { kind: judgement, uri };
    }
    case "completion":
      return readCompletion(request, params);
    case "listen":
      return readFilter(request, params);
    case "tool_list":
    case "prompt_list":
    case "resource_list":
    case "template_list": {
      const cursor = params["cursor"];
      if (cursor === undefined) return { kind: judgement, cursor: undefined };
      // An empty cursor is a cursor.
      if (typeof cursor === "string" && cursor.length <= MAX_CURSOR_CHARACTERS) return { kind: judgement, cursor };
      return refuseParams(request.id, "`cursor` must be a text", "cursor");
    }
    case "plain":
      return { kind: "plain" };
  }
}

function readNamed(request: Request, params: JsonObject, kind: "tool_call" | "prompt_get"): Subject | Refusal {
  const { name } = params;
  if (!isText(name, MAX_NAME_CHARACTERS)) return refuseParams(request.id, "`name` must be a text", "name");
  const args = params["arguments"];
  if (args === undefined) return { kind, name, args: EMPTY };
  if (!isJsonObject(args)) return refuseParams(request.id, "`arguments` must be an object", "arguments");
  return { kind, name, args };
}

function readCompletion(request: Request, params: JsonObject): Subject | Refusal {
  const { ref, argument } = params;
  if (!isJsonObject(ref)) return refuseParams(request.id, "`ref` must be an object", "ref");
  if (!isJsonObject(argument) || typeof argument["name"] !== "string" || typeof argument["value"] !== "string") {
    return refuseParams(request.id, "`argument` must hold a name and a value", "argument");
  }
  const { type, name, uri } = ref;
  // A reference that holds both could be judged by one and served by the other.
  if (type === "ref/prompt" && uri === undefined && isText(name, MAX_NAME_CHARACTERS)) {
    return { kind: "completion", prompt: name, uri: undefined };
  }
  if (type === "ref/resource" && name === undefined && isText(uri, MAX_URI_CHARACTERS)) {
    return { kind: "completion", prompt: undefined, uri };
  }
  return refuseParams(request.id, "`ref` must name a prompt or a resource", "ref");
}

function readFilter(request: Request, params: JsonObject): Subject | Refusal {
  const filter = params["notifications"];
  if (!isJsonObject(filter)) return refuseParams(request.id, "`notifications` must be an object", "filter");
  const flags = [filter["toolsListChanged"], filter["promptsListChanged"], filter["resourcesListChanged"]];
  if (flags.some((flag) => flag !== undefined && typeof flag !== "boolean")) {
    return refuseParams(request.id, "a filter must be true or false", "filter");
  }
  const uris = filter["resourceSubscriptions"] ?? [];
  if (!isJsonList(uris) || uris.length > MAX_LISTEN_RESOURCES || !uris.every((uri) => isText(uri, MAX_URI_CHARACTERS))) {
    return refuseParams(request.id, "`resourceSubscriptions` must be a list of URIs", "filter");
  }
  const [toolsListChanged, promptsListChanged, resourcesListChanged] = flags.map((flag) => flag === true) as [boolean, boolean, boolean];
  return {
    kind: "listen",
    filter: { toolsListChanged, promptsListChanged, resourcesListChanged, resourceSubscriptions: uris as readonly string[] },
  };
}

/** The parts of a request that continue a call of several rounds. */
export interface Round {
  readonly requestState: string | undefined;
  readonly inputResponses: JsonObject | undefined;
}

/** Reads the round a modern request belongs to; undefined where it opens a call. */
export function readRound(request: Request): Round | undefined | Refusal {
  const requestState = request.params?.["requestState"];
  const inputResponses = request.params?.["inputResponses"];
  if (requestState === undefined && inputResponses === undefined) return undefined;
  if (!ROUND_METHODS.has(request.method)) return refuseParams(request.id, "this method has no rounds", "round");
  if (requestState !== undefined && typeof requestState !== "string") {
    return refuseParams(request.id, "`requestState` must be a text", "round");
  }
  if (inputResponses !== undefined && !isJsonObject(inputResponses)) {
    return refuseParams(request.id, "`inputResponses` must be an object", "round");
  }
  return { requestState, inputResponses };
}

/** What a legacy client says when it opens a session. Its name is its own word and decides nothing. */
export interface Initialize {
  readonly protocolVersion: string;
  readonly capabilities: JsonObject;
  readonly clientInfo: JsonObject;
}

/** Reads the params of `initialize`. */
export function readInitialize(request: Request): Initialize | Refusal {
  const { protocolVersion, capabilities, clientInfo } = request.params ?? EMPTY;
  if (typeof protocolVersion !== "string") return refuseParams(request.id, "`protocolVersion` must be a text", "initialize");
  if (!isJsonObject(capabilities)) return refuseParams(request.id, "`capabilities` must be an object", "initialize");
  if (!isJsonObject(clientInfo) || typeof clientInfo["name"] !== "string" || typeof clientInfo["version"] !== "string") {
    return refuseParams(request.id, "`clientInfo` must hold a name and a version", "initialize");
  }
  return { protocolVersion, capabilities, clientInfo };
}
