/** The front page, a page per class, and search: words, facets, totals. Each has its JSON beside it. */
import { SIGNAL_NAMES, SIGNALS, type SignalName } from "../../catalog/signals.ts";
import type { SearchAsked } from "../../catalog/store/match.ts";
import type { Catalogue, PlacedTool } from "../../catalog/store/read-catalogue.ts";
import type { ToolRisk } from "../../catalog/verdict.ts";
import { TOOL_CLASSES, TOOL_RISKS, type ToolClass } from "../../policy/decision.ts";
import { type Html, html } from "../html.ts";
import { type Answer, answerJson, answerPage, ROOT } from "./layout.ts";
import { nextLink, serverCards, toolCards, toolPath } from "./lists.ts";
import { describeServer } from "./server-page.ts";
import type { CatalogueSite } from "./site.ts";
import { CLASS_WORDS, countOf, RISK_NAMES } from "./words.ts";

const TOOLS_A_PAGE = 30;
const LARGEST_SERVERS = 12;
const FOUND_SERVERS = 6;
const MAX_ASKED_CHARACTERS = 200;

export function answerHome(site: CatalogueSite, catalogue: Catalogue): Answer {
  const { totals } = catalogue;
  return answerPage(site, {
    title: "MCP servers and their tools by risk",
    description: `${countOf(totals.servers, "MCP server")} and ${countOf(totals.tools, "tool")} classified by what they can do, each with a policy.`,
    path: ROOT,
    json: `${ROOT}/index.json`,
    crumbs: [{ name: "Catalogue", path: ROOT }],
    structured: [
      {
        "@context": "https://schema.org",
        "@type": "WebSite",
        name: "Sallyport catalogue",
        url: `${site.baseUrl}${ROOT}`,
        potentialAction: {
          "@type": "SearchAction",
          target: `${site.baseUrl}${ROOT}/search?q={words}`,
          "query-input": "required name=words",
        },
      },
    ],
    body: html`<h1>What MCP tools can do, and the policy for each</h1>
<p><strong>${countOf(totals.servers, "server")} and ${countOf(totals.tools, "tool")}</strong>, each classified from its own definition. Every tool has a page with its risk, what an agent could do with it, and a policy to copy.</p>
<h2>By class</h2>
<ul class="cards">${TOOL_CLASSES.map(
      (word) =>
        html`<li><a href="${ROOT}/classes/${word}"><strong>${CLASS_WORDS[word].name}</strong></a><p>${countOf(totals.classes[word], "tool")}: each ${CLASS_WORDS[word].can}.</p></li>`,
    )}</ul>
<h2>By risk</h2>
<ul>${TOOL_RISKS.map((word) => html`<li><a href="${ROOT}/search?risk=${word}">${RISK_NAMES[word]}</a>: ${countOf(totals.risks[word], "tool")}</li>`)}</ul>
<h2>By signal</h2>
<ul>${totals.signals.map(([name, count]) => html`<li><a href="${ROOT}/search?signal=${name}">${SIGNALS[name].words}</a>: ${countOf(count, "tool")}</li>`)}</ul>
<h2>Servers with the most tools</h2>
${serverCards(catalogue.listLargestServers(LARGEST_SERVERS))}
<p><a href="${ROOT}/servers">All servers</a></p>
<p class="soft">Built ${totals.built}.</p>`,
  });
}

export function answerHomeJson(catalogue: Catalogue): Answer {
  const { built, servers, tools, classes, risks, signals } = catalogue.totals;
  return answerJson({ built, servers, tools, classes, risks, signals: Object.fromEntries(signals) });
}

export function answerClass(site: CatalogueSite, catalogue: Catalogue, word: ToolClass, after: number): Answer {
  const tools = catalogue.listKind("class", word, after, TOOLS_A_PAGE);
  const path = `${ROOT}/classes/${word}`;
  const words = CLASS_WORDS[word];
  return answerPage(site, {
    title: `${words.name} tools`,
    description: words.summary,
    path,
    json: `${path}.json`,
    crumbs: [
      { name: "Catalogue", path: ROOT },
      { name: `${words.name} tools`, path },
    ],
    body: html`<h1>${countOf(catalogue.totals.classes[word], `${words.name} tool`)}</h1>
<p>Each ${words.can}. ${words.summary}</p><p>${words.unchecked}</p><p>${words.policy}</p>
${toolCards(tools)}${nextLink(path, tools.at(-1), tools.length === TOOLS_A_PAGE)}`,
  });
}

export function answerClassJson(catalogue: Catalogue, word: ToolClass, after: number): Answer {
  const tools = catalogue.listKind("class", word, after, TOOLS_A_PAGE);
  const next = tools.length === TOOLS_A_PAGE ? `${ROOT}/classes/${word}.json?after=${tools.at(-1)?.id}` : null;
  return answerJson({ class: word, total: catalogue.totals.classes[word], tools: tools.map(describePlaced), next });
}

interface Asked extends SearchAsked {
  readonly page: number;
}

/** What is not one of the words that there are is not asked for. */
export function readAsked(query: URLSearchParams): Asked {
  const pick = <T extends string>(key: string, words: readonly T[]): T | undefined => words.find((word) => word === query.get(key));
  const page = Number(query.get("page") ?? 1);
  return {
    words: (query.get("q") ?? "").slice(0, MAX_ASKED_CHARACTERS),
    class: pick<ToolClass>("class", TOOL_CLASSES),
    risk: pick<ToolRisk>("risk", TOOL_RISKS),
    signal: pick<SignalName>("signal", SIGNAL_NAMES),
    page: Number.isSafeInteger(page) && page >= 1 && page <= 1_000 ? page : 1,
  };
}

function writeQuery(asked: Asked, change: Partial<Asked>): string {
  const { words, class: toolClass, risk, signal, page } = { ...asked, ...change };
  const query = new URLSearchParams();
  if (words !== "") query.set("q", words);
  for (const [key, value] of Object.entries({ class: toolClass, risk, signal })) if (value !== undefined) query.set(key, value);
  if (page > 1) query.set("page", String(page));
  return query.toString();
}

export function answerSearch(site: CatalogueSite, catalogue: Catalogue, asked: Asked): Answer {
  const found = catalogue.search(asked, (asked.page - 1) * TOOLS_A_PAGE, TOOLS_A_PAGE);
  const servers = asked.page === 1 ? catalogue.searchServers(asked.words, FOUND_SERVERS) : [];
  const path = `${ROOT}/search`;
  const isAsked = writeQuery(asked, { page: 1 }) !== "";
  const link = (change: Partial<Asked>): string => `${path}?${writeQuery(asked, { page: 1, ...change })}`;
  const count = found.more ? `The first ${countOf(found.matches, "tool")} of more` : countOf(found.matches, "tool");
  return answerPage(site, {
    title: asked.words === "" ? "Search" : `${asked.words}: search`,
    description: "Tools and servers by words, class, risk and signal.",
    path,
    json: `${path}.json?${writeQuery(asked, {})}`,
    isPrivate: true,
    words: asked.words,
    crumbs: [
      { name: "Catalogue", path: ROOT },
      { name: "Search", path },
    ],
    body: html`<h1>Search</h1>
<form action="${path}" method="get" class="line" aria-label="Search with facets">
<div><label for="words">Words</label><input id="words" name="q" type="search" maxlength="${MAX_ASKED_CHARACTERS}" value="${asked.words}"></div>
${select("class", "Class", TOOL_CLASSES, asked.class, (word) => CLASS_WORDS[word].name)}
${select("risk", "Risk", TOOL_RISKS, asked.risk, (word) => RISK_NAMES[word])}
${select("signal", "Signal", SIGNAL_NAMES, asked.signal, (word) => SIGNALS[word].words)}
<div><button>Search</button></div>
</form>
${
  isAsked &&
  html`<p role="status"><strong>${count}</strong></p>
<ul>${TOOL_CLASSES.filter((word) => found.classes[word] > 0).map((word) => html`<li><a href="${link({ class: word })}">${CLASS_WORDS[word].name}</a>: ${found.classes[word].toLocaleString("en-US")}</li>`)}
${TOOL_RISKS.filter((word) => found.risks[word] > 0).map((word) => html`<li><a href="${link({ risk: word })}">${RISK_NAMES[word]} risk</a>: ${found.risks[word].toLocaleString("en-US")}</li>`)}</ul>
${servers.length > 0 && html`<h2>Servers</h2>${serverCards(servers)}`}
<h2>Tools</h2>
${found.tools.length > 0 ? toolCards(found.tools) : html`<p>Nothing in the catalogue has all of these words.</p>`}
${asked.page * TOOLS_A_PAGE < found.matches && html`<p><a rel="next" href="${link({ page: asked.page + 1 })}">Next page</a></p>`}`
}`,
  });
}

function select<T extends string>(
  name: string,
  label: string,
  words: readonly T[],
  chosen: T | undefined,
  tell: (word: T) => string,
): Html {
  return html`<div><label for="${name}">${label}</label><select id="${name}" name="${name}"><option value="">Any</option>${words.map(
    (word) => html`<option value="${word}"${word === chosen && html` selected`}>${tell(word)}</option>`,
  )}</select></div>`;
}

export function answerSearchJson(catalogue: Catalogue, asked: Asked): Answer {
  const found = catalogue.search(asked, (asked.page - 1) * TOOLS_A_PAGE, TOOLS_A_PAGE);
  const { matches, more, classes, risks } = found;
  const servers = catalogue.searchServers(asked.words, FOUND_SERVERS).map(describeServer);
  return answerJson({ matches, more, classes, risks, servers, tools: found.tools.map(describePlaced) });
}

function describePlaced(tool: PlacedTool): Record<string, unknown> {
  const { name, serverName, class: toolClass, risk, brief, signals } = tool;
  return { name, server: serverName, class: toolClass, risk, brief, signals, path: toolPath(tool.serverSlug, tool.slug) };
}
