/** The page of one server: how many of its tools do more than read, its whole policy, its tools, the attacks they allow. */
import { linkTools } from "../../catalog/attacks/link-attacks.ts";
import type { Catalogue, ListedServer } from "../../catalog/store/read-catalogue.ts";
import { html } from "../html.ts";
import { attackCards } from "./attack-pages.ts";
import { type Answer, answerJson, answerPage, MAX_PAGE_BYTES, ROOT } from "./layout.ts";
import { nextLink, serverCards, serverPath, tellClasses, toolPath, toolRows } from "./lists.ts";
import { describeQuestions, type Question, showQuestions } from "./questions.ts";
import type { CatalogueSite } from "./site.ts";
import { showPolicy, writeCommand } from "./tool-page.ts";
import { CLASS_WORDS, countOf, showName } from "./words.ts";

/** Tools and policy of a page, smaller where names are written to be long. */
const ROOMS = [
  { tools: 60, policy: 6_000 },
  { tools: 15, policy: 1_500 },
] as const;
const MAX_ATTACKS = 6;
/** Tools of which is asked what they make possible together. */
const MAX_LINKED_TOOLS = 500;
const SERVERS_A_PAGE = 60;
const MAX_JSON_TOOLS = 1_000;

export function answerServer(site: CatalogueSite, catalogue: Catalogue, server: ListedServer, after: number): Answer {
  const name = showName(server.name);
  const path = serverPath(server);
  const policy = catalogue.readServerPolicy(server.id);
  const linked = after === 0 ? linkTools(asLinked(catalogue, server), site.attacks).slice(0, MAX_ATTACKS) : [];
  const questions = listQuestions(server, name);
  const print = (room: (typeof ROOMS)[number]): Answer => {
    const tools = catalogue.listTools(server.id, after, room.tools);
    return answerPage(site, {
      title: `${name}: ${countOf(server.tools, "tool")} by risk, and a policy`,
      description: `${countOf(server.tools, "tool")} of the ${name} MCP server; ${server.changing} can modify or destroy data with no limits.`,
      path,
      json: `${path}.json`,
      crumbs: [
        { name: "Catalogue", path: ROOT },
        { name: "Servers", path: `${ROOT}/servers` },
        { name, path },
      ],
      structured: after === 0 ? [describeQuestions(questions)] : [],
      body: html`<h1>${name}</h1>
<p><strong>${countOf(server.tools, "tool")}, ${server.changing.toLocaleString("en-US")} can modify or destroy data with no limits.</strong></p>
<p>${tellClasses(server)}</p>
<dl class="facts">
${server.package !== undefined && html`<dt>npm package</dt><dd>${showName(server.package)}</dd>`}
${server.version !== undefined && html`<dt>Version</dt><dd>${showName(server.version)}</dd>`}
${server.licence !== undefined && html`<dt>Licence</dt><dd>${showName(server.licence)}</dd>`}
${server.url !== undefined && html`<dt>Address</dt><dd>${showName(server.url)}</dd>`}
${server.scanned !== undefined && html`<dt>Tools listed on</dt><dd>${showName(server.scanned)}</dd>`}
</dl>
${
  after === 0 &&
  html`<h2 id="policy">The policy for all ${countOf(server.tools, "tool")}</h2>
<p>Every tool's entry as on its own page, in one document; what it does not name is refused.</p>
${policy === undefined ? html`<p>There are too many tools for one document; take the policies of those you need.</p>` : showPolicy(policy, `${ROOT}/policies/${server.slug}.json`, room.policy)}
<h3>Put it in force</h3>
<pre><code>${writeCommand(server)}</code></pre>`
}
<h2>Tools</h2>
${toolRows(server, tools)}
${nextLink(path, tools.at(-1), tools.length === room.tools && catalogue.listTools(server.id, tools.at(-1)?.id ?? 0, 1).length > 0)}
${
  linked.length > 0 &&
  html`<h2>Attacks that these tools make possible</h2>${attackCards(
    linked.map(({ attack, tools: legs }) => ({
      attack,
      by: legs.map((leg) => leg.slice(0, 2).map(showName).join(" or ")).join(", with "),
    })),
  )}`
}
${after === 0 && html`<h2>Questions and answers</h2>${showQuestions(questions)}`}`,
    });
  };
  const large = print(ROOMS[0]);
  return Buffer.byteLength(large.body) <= MAX_PAGE_BYTES ? large : print(ROOMS[1]);
}

function asLinked(catalogue: Catalogue, server: ListedServer) {
  return catalogue
    .listTools(server.id, 0, MAX_LINKED_TOOLS)
    .map((tool) => ({ name: tool.name, verdict: { class: tool.class, signals: tool.signals } }));
}

function listQuestions(server: ListedServer, name: string): readonly Question[] {
  const { classes } = server;
  const tell = (word: keyof typeof classes, can: string): string =>
    classes[word] === 0
      ? `No: none of its ${countOf(server.tools, "tool")} is ${CLASS_WORDS[word].name}.`
      : `Yes: ${countOf(classes[word], "tool")} ${can}.`;
  return [
    { question: `Can ${name} delete data?`, answer: tell("destructive", "can. The suggested policy hides them") },
    { question: `Can ${name} move money?`, answer: tell("financial", "can. The suggested policy asks a person for each call") },
    {
      question: `Can ${name} run commands or code?`,
      answer: tell("execute", "can. The suggested policy says what may run, and how often"),
    },
    {
      question: `How many tools does ${name} have?`,
      answer: `${countOf(server.tools, "tool")}: ${tellClasses(server)}. ${classes.read} only read.`,
    },
    { question: `How do I put ${name} behind the gateway?`, answer: `Save the policy as policy.json, then: ${writeCommand(server)}.` },
  ];
}

export function answerServerJson(site: CatalogueSite, catalogue: Catalogue, server: ListedServer, after: number): Answer {
  const tools = catalogue.listTools(server.id, after, MAX_JSON_TOOLS);
  const policy = catalogue.readServerPolicy(server.id);
  return answerJson({
    ...describeServer(server),
    classes: server.classes,
    policy: policy === undefined ? null : (JSON.parse(policy) as unknown),
    list: tools.map((tool) => ({
      name: tool.name,
      class: tool.class,
      risk: tool.risk,
      signals: tool.signals,
      path: toolPath(server.slug, tool.slug),
    })),
    next: tools.length === MAX_JSON_TOOLS ? `${serverPath(server)}.json?after=${tools.at(-1)?.id}` : null,
    page: `${site.baseUrl}${serverPath(server)}`,
  });
}

export function describeServer(server: ListedServer): Record<string, unknown> {
  const { name, package: named, version, licence, url, scanned, tools, changing } = server;
  return { name, package: named, version, licence, url, scanned, tools, changing, path: serverPath(server) };
}

export function answerServers(site: CatalogueSite, catalogue: Catalogue, after: number): Answer {
  const servers = catalogue.listServers(after, SERVERS_A_PAGE);
  const path = `${ROOT}/servers`;
  return answerPage(site, {
    title: "Servers of the catalogue",
    description: `${countOf(catalogue.totals.servers, "MCP server")} with their tools by class and risk.`,
    path,
    json: `${path}.json`,
    crumbs: [
      { name: "Catalogue", path: ROOT },
      { name: "Servers", path },
    ],
    body: html`<h1>${countOf(catalogue.totals.servers, "server")}</h1>${serverCards(servers)}${nextLink(path, servers.at(-1), servers.length === SERVERS_A_PAGE)}`,
  });
}

export function answerServersJson(catalogue: Catalogue, after: number): Answer {
  const servers = catalogue.listServers(after, MAX_JSON_TOOLS);
  const next = servers.length === MAX_JSON_TOOLS ? `${ROOT}/servers.json?after=${servers.at(-1)?.id}` : null;
  return answerJson({ servers: servers.map(describeServer), next });
}
