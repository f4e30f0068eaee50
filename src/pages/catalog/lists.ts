/** Lists of tools and servers as they stand on every page: badge, name, a line of what it is for. */
import type { ListedServer, ListedTool, PlacedTool } from "../../catalog/store/read-catalogue.ts";
import { TOOL_CLASSES } from "../../policy/decision.ts";
import { type Html, html } from "../html.ts";
import { ROOT } from "./layout.ts";
import { CLASS_WORDS, countOf, RISK_NAMES, revealLines, tellSignals } from "./words.ts";

export const serverPath = ({ slug }: Pick<ListedServer, "slug">): string => `${ROOT}/servers/${slug}`;
export const toolPath = (serverSlug: string, slug: string): string => `${ROOT}/servers/${serverSlug}/${slug}`;

export function riskBadge(risk: ListedTool["risk"]): Html {
  return html`<span class="badge ${risk}">${RISK_NAMES[risk]} risk</span>`;
}

export function classBadge(word: ListedTool["class"]): Html {
  return html`<a class="badge plain" href="${ROOT}/classes/${word}">${CLASS_WORDS[word].name}</a>`;
}

const MAX_CARD_CHARACTERS = 180;

export function toolCards(tools: readonly PlacedTool[]): Html {
  return html`<ul class="cards">${tools.map(
    (tool) => html`<li><a href="${toolPath(tool.serverSlug, tool.slug)}"><strong>${revealLines(tool.name)}</strong></a>
<p>${riskBadge(tool.risk)} <span class="soft">${CLASS_WORDS[tool.class].name}, of ${revealLines(tool.serverName)}</span></p>
<p>${cut(revealLines(tool.brief))}</p></li>
`,
  )}</ul>`;
}

export function toolRows(server: Pick<ListedServer, "slug">, tools: readonly ListedTool[]): Html {
  return html`<div class="wide"><table><thead><tr><th scope="col">Tool</th><th scope="col">Class</th><th scope="col">Risk</th><th scope="col">Why</th></tr></thead><tbody>${tools.map(
    (
      tool,
    ) => html`<tr><td><a href="${toolPath(server.slug, tool.slug)}">${revealLines(tool.name)}</a></td><td>${CLASS_WORDS[tool.class].name}</td><td>${RISK_NAMES[tool.risk]}</td><td>${cut(tellSignals(tool.signals))}</td></tr>
`,
  )}</tbody></table></div>`;
}

export function serverCards(servers: readonly ListedServer[]): Html {
  return html`<ul class="cards">${servers.map(
    (server) => html`<li><a href="${serverPath(server)}"><strong>${revealLines(server.name)}</strong></a>
<p>${countOf(server.tools, "tool")}, ${server.changing.toLocaleString("en-US")} can do more than read</p>
<p class="soft">${tellClasses(server)}</p></li>
`,
  )}</ul>`;
}

export function tellClasses({ classes }: Pick<ListedServer, "classes">): string {
  return TOOL_CLASSES.filter((word) => classes[word] > 0)
    .map((word) => `${classes[word]} ${CLASS_WORDS[word].name}`)
    .join(" · ");
}

function cut(text: string): string {
  return text.length <= MAX_CARD_CHARACTERS ? text : `${text.slice(0, MAX_CARD_CHARACTERS - 1).toWellFormed()}…`;
}

/** On to what follows the last one, where there may be more. */
export function nextLink(path: string, last: { readonly id: number } | undefined, isFull: boolean): Html | undefined {
  if (last === undefined || !isFull) return undefined;
  return html`<p><a rel="next" href="${path}?after=${last.id}">Next page</a></p>`;
}
