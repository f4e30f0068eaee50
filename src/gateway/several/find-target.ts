/**
 * Which server a request is for, and what it says in that server's own words: names lose their prefix, URIs their scheme.
 * A server that is not the grant's is answered as a name that does not exist.
 */
import { writeUnknownPrompt, writeUnknownResource, writeUnknownTool } from "../../mcp/answers.ts";
import { type Request, withParam } from "../../mcp/message.ts";
import { findMethod, type Method } from "../../mcp/methods.ts";
import { asData, isRefusal, type Refusal } from "../../mcp/refusal.ts";
import { LATEST_MODERN } from "../../mcp/revisions.ts";
import { splitName, splitUri, turnNameBack } from "../../mcp/several-names.ts";
import { readSubject, type Subject } from "../../mcp/subject.ts";
import type { Endpoint } from "../desk.ts";
import type { Asking } from "./asking.ts";
import { cutToolNames } from "./cut-names.ts";
import { listServer } from "./list-server.ts";
import { partFor } from "./parts.ts";

const LIST_PROMPTS: Method | undefined = findMethod("prompts/list", "client_request", LATEST_MODERN);

export interface Target {
  readonly kind: "target";
  readonly endpoint: Endpoint;
  readonly request: Request;
  /** What the client said. */
  readonly shown: string;
}

export interface NoTarget {
  readonly kind: "none";
  readonly shown: string;
  readonly message: Buffer;
}

export async function findTarget(asking: Asking): Promise<Target | NoTarget | Refusal> {
  const { request, routed } = asking;
  const { judgement } = routed.method;
  if (judgement === "refused") throw new Error("a refused method is not routed");
  const subject = readSubject(request, judgement);
  if (isRefusal(subject)) return subject;
  switch (subject.kind) {
    case "tool_call":
    case "prompt_get":
      return await findNamed(asking, subject, subject.name, (name) => withParam(request, "name", name));
    case "completion":
      if (subject.prompt !== undefined) {
        return await findNamed(asking, subject, subject.prompt, (name) => withReference(request, "name", name));
      }
      return findByUri(asking, subject.uri, (uri) => withReference(request, "uri", uri));
    case "resource_read":
    case "subscribe":
    case "unsubscribe":
      return findByUri(asking, subject.uri, (uri) => withParam(request, "uri", uri));
    default:
      throw new Error("a request without a name or URI is for no one server");
  }
}

function withReference(request: Request, member: "name" | "uri", value: string): Request {
  const ref = request.params?.["ref"];
  return withParam(request, "ref", asData({ ...(ref as Record<string, never>), [member]: value }));
}

function endpointNamed(asking: Asking, name: string | undefined): Endpoint | undefined {
  return asking.who.endpoints.find((endpoint) => endpoint.name === name);
}

async function findNamed(asking: Asking, subject: Subject, shown: string, turn: (name: string) => Request): Promise<Target | NoTarget> {
  const split = splitName(shown);
  const endpoint = endpointNamed(asking, split?.server);
  const isTool = subject.kind === "tool_call";
  const none: NoTarget = {
    kind: "none",
    shown,
    message: isTool ? writeUnknownTool(asking.request.id, shown) : writeUnknownPrompt(asking.request.id, shown),
  };
  if (!split || !endpoint) return none;
  let name: string | undefined;
  if (isTool || !split.mayBeCut) name = turnNameBack(shown, split, isTool ? cutToolNames(endpoint) : new Map());
  else name = await findCutPrompt(asking, endpoint, shown, split.name);
  return name === undefined ? none : { kind: "target", endpoint, request: turn(name), shown };
}

/** A cut name of a prompt that is not remembered is looked for in what its server lists this grant. */
async function findCutPrompt(asking: Asking, endpoint: Endpoint, shown: string, spelled: string): Promise<string | undefined> {
  const { desk, who, request, routed } = asking;
  let known = desk.promptNames.find(who.grant.id, shown);
  if (!known && LIST_PROMPTS) {
    const listing = { ...asking, request: asListing(request), routed: { ...routed, method: LIST_PROMPTS } };
    await listServer(listing, partFor(desk, routed.session, endpoint), "prompts", undefined);
    known = desk.promptNames.find(who.grant.id, shown);
  }
  return known ? (known.name ?? undefined) : spelled;
}

/** The same client's request for the list, with nothing of the other's but its `_meta`. */
function asListing(request: Request): Request {
  let listing: Request = { ...request, method: "prompts/list" };
  for (const key of Object.keys(request.params ?? {})) if (key !== "_meta") listing = withParam(listing, key, undefined);
  return listing;
}

function findByUri(asking: Asking, shown: string, turn: (uri: string) => Request): Target | NoTarget {
  const split = splitUri(shown);
  const endpoint = endpointNamed(asking, split?.server);
  if (split && endpoint) return { kind: "target", endpoint, request: turn(split.uri), shown };
  const { request, routed } = asking;
  return { kind: "none", shown, message: writeUnknownResource(request.id, shown, routed.claim.era) };
}
