/**
 * From a request to its page: everything under `/catalog` and `/attacks`. Reads the catalogue, writes nothing but messages
 * of the contact form.
 */

import type { ContactBox } from "../../catalog/contact-box.ts";
import type { Catalogue, ListedServer } from "../../catalog/store/read-catalogue.ts";
import { TOOL_CLASSES } from "../../policy/decision.ts";
import { ATTACKS, answerAttack, answerAttackJson, answerAttacks, answerAttacksJson } from "./attack-pages.ts";
import { answerContact, takeContact } from "./contact-page.ts";
import { answerFeed, answerLlms, answerSitemap, answerSitemapPart } from "./feeds.ts";
import { type Answer, answerMissing, answerText, ROOT } from "./layout.ts";
import { answerClass, answerClassJson, answerHome, answerHomeJson, answerSearch, answerSearchJson, readAsked } from "./list-pages.ts";
import { answerServer, answerServerJson, answerServers, answerServersJson } from "./server-page.ts";
import type { CatalogueSite } from "./site.ts";
import { STYLE } from "./style.ts";
import { answerTool, answerToolJson } from "./tool-page.ts";
import { answerTry } from "./try-call.ts";

export interface CatalogueRequest {
  readonly method: "GET" | "POST";
  /** As it came, without the query. */
  readonly path: string;
  readonly query: string;
  /** Of a form that was sent. */
  readonly form?: string | undefined;
  /** Whose it is, as far as the connection tells. */
  readonly source: string;
}

export interface CatalogueParts {
  readonly site: CatalogueSite;
  readonly catalogue: Catalogue;
  readonly box: ContactBox;
  readonly now: () => number;
}

/** Paths that this room answers. */
export const CATALOGUE_PATH: RegExp = /^\/(?:catalog|attacks)(?:\/|\.json$|$)/;

const SERVER = /^\/servers\/([a-z0-9_-]{1,100})(?:\/([a-z0-9_-]{1,100}))?(\/policy\.json|\/try|\.json)?$/;
const POLICY = /^\/policies\/([a-z0-9_-]{1,100})\.json$/;
const CLASS = /^\/classes\/([a-z]+)(\.json)?$/;
const PART = /^\/sitemap-(pages|servers|tools)-([1-9]\d{0,6})\.xml$/;
const ATTACK = /^\/([a-z0-9-]{1,100})(\.json)?$/;

export async function answerCatalogue(parts: CatalogueParts, request: CatalogueRequest): Promise<Answer> {
  const { site } = parts;
  const found = request.path.startsWith(ATTACKS) ? answerAttackPath(site, request) : await answerPath(parts, request);
  return found ?? answerMissing(site);
}

function answerAttackPath(site: CatalogueSite, { path, method }: CatalogueRequest): Answer | undefined {
  if (method !== "GET") return undefined;
  const rest = path.slice(ATTACKS.length);
  if (rest === "" || rest === "/") return answerAttacks(site);
  if (rest === ".json") return answerAttacksJson(site);
  const [, id = "", json] = ATTACK.exec(rest) ?? [];
  if (id === "") return undefined;
  return json === undefined ? answerAttack(site, id) : answerAttackJson(site, id);
}

async function answerPath(parts: CatalogueParts, request: CatalogueRequest): Promise<Answer | undefined> {
  const { site, catalogue, box, now } = parts;
  const path = request.path.slice(ROOT.length).replace(/\/$/, "");
  const query = new URLSearchParams(request.query);
  const after = readAfter(query);
  if (request.method === "POST") {
    const form = new URLSearchParams(request.form ?? "");
    if (path === "/contact") return takeContact(site, box, form, request.source, now());
    const asked = findTool(catalogue, path);
    return asked?.form === "/try" ? await answerTry(site, catalogue, asked.server, asked.tool, form, now()) : undefined;
  }
  switch (path) {
    case "":
      return answerHome(site, catalogue);
    case "/index.json":
      return answerHomeJson(catalogue);
    case "/servers":
      return answerServers(site, catalogue, after);
    case "/servers.json":
      return answerServersJson(catalogue, after);
    case "/search":
      return answerSearch(site, catalogue, readAsked(query));
    case "/search.json":
      return answerSearchJson(catalogue, readAsked(query));
    case "/contact":
      return answerContact(site);
    case "/style.css":
      return answerText("text/css; charset=utf-8", STYLE);
    case "/sitemap.xml":
      return answerSitemap(site, catalogue);
    case "/feed.xml":
      return answerFeed(site, catalogue);
    case "/llms.txt":
      return answerLlms(site, catalogue);
  }
  const [, kind, part] = PART.exec(path) ?? [];
  if (kind !== undefined) return answerSitemapPart(site, catalogue, kind, Number(part));
  const [, named, json] = CLASS.exec(path) ?? [];
  const word = TOOL_CLASSES.find((known) => known === named);
  if (word !== undefined) return json === undefined ? answerClass(site, catalogue, word, after) : answerClassJson(catalogue, word, after);
  return answerPlaced(site, catalogue, path, after);
}

function answerPlaced(site: CatalogueSite, catalogue: Catalogue, path: string, after: number): Answer | undefined {
  const asked = findTool(catalogue, path);
  if (asked) {
    const { server, tool, form } = asked;
    if (form === undefined) return answerTool(site, catalogue, server, tool);
    if (form === ".json") return answerToolJson(site, catalogue, server, tool);
    return form === "/policy.json" ? answerPolicy(catalogue.readTool(tool).policy) : undefined;
  }
  const [, owner] = POLICY.exec(path) ?? [];
  if (owner !== undefined) {
    const found = catalogue.findServer(owner);
    const policy = found && catalogue.readServerPolicy(found.id);
    return policy === undefined ? undefined : answerPolicy(policy);
  }
  const [, slug = "", toolSlug, form] = SERVER.exec(path) ?? [];
  const server = toolSlug === undefined && slug !== "" ? catalogue.findServer(slug) : undefined;
  if (!server) return undefined;
  if (form === undefined) return answerServer(site, catalogue, server, after);
  return form === ".json" ? answerServerJson(site, catalogue, server, after) : undefined;
}

interface PlacedPath {
  readonly server: ListedServer;
  readonly tool: NonNullable<ReturnType<Catalogue["findTool"]>>;
  readonly form: string | undefined;
}

function findTool(catalogue: Catalogue, path: string): PlacedPath | undefined {
  const [, slug, toolSlug, form] = SERVER.exec(path) ?? [];
  if (slug === undefined || toolSlug === undefined) return undefined;
  const server = catalogue.findServer(slug);
  const tool = server && catalogue.findTool(server.id, toolSlug);
  return server && tool && { server, tool, form };
}

function answerPolicy(policy: string): Answer {
  return answerText("application/json; charset=utf-8", policy, { "content-disposition": 'attachment; filename="policy.json"' });
}

function readAfter(query: URLSearchParams): number {
  const after = Number(query.get("after") ?? 0);
  return Number.isSafeInteger(after) && after >= 0 ? after : 0;
}
