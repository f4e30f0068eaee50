/**
 * The page of one tool: what it is, why it is risky, what an agent could do with it, the policy that the catalogue suggests
 * and a way to try it, the attacks that come by such a tool, its neighbours, questions and answers. And the same as JSON.
 */
import { type AttackLink, linkTool } from "../../catalog/attacks/link-attacks.ts";
import { SIGNALS } from "../../catalog/signals.ts";
import type { Catalogue, ListedServer, ListedTool, PlacedTool } from "../../catalog/store/read-catalogue.ts";
import { type Html, html } from "../html.ts";
import { attackCards } from "./attack-pages.ts";
import { readDefinition, type ShownDefinition, sampleArguments } from "./definition.ts";
import { type Answer, answerJson, answerPage, MAX_PAGE_BYTES, ROOT } from "./layout.ts";
import { classBadge, riskBadge, serverPath, toolCards, toolPath } from "./lists.ts";
import { type AskedTool, describeQuestions, listQuestions, showQuestions } from "./questions.ts";
import type { CatalogueSite } from "./site.ts";
import { CLASS_WORDS, countOf, cutText, revealLines, showName, tellEntry, tellSignals } from "./words.ts";

const MAX_NEIGHBOURS = 6;
const MAX_ATTACKS = 8;

/** How much of a definition stands on its page; what is written to be long gets the smaller one. */
const ROOMS = [
  { description: 3_000, arguments: 40, argument: 240, policy: 9_000, attacks: MAX_ATTACKS },
  { description: 600, arguments: 12, argument: 60, policy: 2_000, attacks: 3 },
] as const;
type Room = (typeof ROOMS)[number];

interface Parts extends AskedTool {
  readonly attacks: readonly AttackLink[];
  readonly neighbours: readonly PlacedTool[];
  readonly path: string;
}

function gather(site: CatalogueSite, catalogue: Catalogue, server: ListedServer, tool: ListedTool): Parts {
  const record = catalogue.readTool(tool);
  return {
    server,
    tool,
    record,
    definition: readDefinition(record.definition),
    name: showName(tool.name),
    serverName: showName(server.name),
    attacks: linkTool(tool, site.attacks),
    neighbours: catalogue.listNeighbours(tool, MAX_NEIGHBOURS),
    path: toolPath(server.slug, tool.slug),
    command: writeCommand(server),
  };
}

/** How the policy is put into force: around the package itself where it is one, else on a gateway that has the server. */
export function writeCommand({ package: named, version, slug }: ListedServer): string {
  const name = slug.replaceAll("_", "-").slice(0, 32).replace(/-+$/, "");
  const isPackage = named !== undefined && /^(?:@[a-z0-9][a-z0-9._~-]*\/)?[a-z0-9][a-z0-9._~-]*$/.test(named);
  const exact = version !== undefined && /^\d[\w.+-]*$/.test(version) ? `@${version}` : "";
  return isPackage
    ? `sallyport run --policy policy.json --server ${name} -- npx -y ${named}${exact}`
    : `sallyport policy set ${name} policy.json --server ${name}`;
}

export function answerTool(site: CatalogueSite, catalogue: Catalogue, server: ListedServer, tool: ListedTool): Answer {
  const parts = gather(site, catalogue, server, tool);
  const questions = listQuestions(parts);
  const { name, serverName, path } = parts;
  const print = (room: Room): Answer =>
    answerPage(site, {
      title: `${name}: ${CLASS_WORDS[tool.class].name} tool of ${serverName}`,
      description: cutText(revealLines(tool.brief), 160),
      path,
      json: `${path}.json`,
      crumbs: [
        { name: "Catalogue", path: ROOT },
        { name: "Servers", path: `${ROOT}/servers` },
        { name: serverName, path: serverPath(server) },
        { name, path },
      ],
      structured: [describeQuestions(questions)],
      body: printTool(parts, showQuestions(questions), room),
    });
  const large = print(ROOMS[0]);
  return Buffer.byteLength(large.body) <= MAX_PAGE_BYTES ? large : print(ROOMS[1]);
}

function printTool(parts: Parts, questions: Html, room: Room): Html {
  const { name, serverName, server, tool, record, definition, path } = parts;
  const words = CLASS_WORDS[tool.class];
  const signals = tellSignals(tool.signals);
  return html`<p>${riskBadge(tool.risk)} ${classBadge(tool.class)}</p>
<h1>${name}</h1>
${definition.title !== undefined && html`<p class="soft">${showName(definition.title)}</p>`}
<p class="words">${definition.description === "" ? "The server says nothing about it." : cutText(revealLines(definition.description), room.description)}</p>
${
  tool.signals.length > 0 &&
  html`<h2>Risk signals</h2><ul>${tool.signals.map(
    (signal) =>
      html`<li>${tellSignals([signal])}${SIGNALS[signal.name].owasp.length > 0 && html` <span class="soft">OWASP ${SIGNALS[signal.name].owasp.join(", ")}</span>`}</li>`,
  )}</ul>`
}
<p>Part of the <a href="${serverPath(server)}">${serverName} server</a>.</p>
<h2>What an agent can do with it</h2>
<p>${name} ${words.can} in ${serverName}, with no limits today: the protocol has none, so nothing stands between an agent and this tool unless a gateway does.</p>
<p>${words.unchecked}</p>
<p>${words.policy}</p>
<p><strong>${words.summary}</strong></p>
${showArguments(definition, room)}
<h2 id="policy">The policy</h2>
<p>${tellEntry(record.entry, record.isHidden)}${signals !== "" && " The signals above are why."}</p>
${showPolicy(record.policy, `${path}/policy.json`, room.policy)}
${
  record.fillIn.length > 0 &&
  !record.isHidden &&
  html`<p>To be filled in; until then these rules refuse every value:</p><ul>${record.fillIn.map(({ rule }) => html`<li>${revealLines(rule)}</li>`)}</ul>`
}
<h3>Put it in force</h3>
<p>Save it as <code>policy.json</code>, then:</p>
<pre><code>${parts.command}</code></pre>
<p>See the <a href="${serverPath(server)}#policy">full ${serverName} policy for all ${countOf(server.tools, "tool")}</a>, or <a href="${serverPath(server)}">view all ${countOf(server.tools, "tool")}</a>.</p>
<h2 id="try">Try it</h2>
<form action="${path}/try" method="post">
<label for="arguments">Arguments of a call, as JSON</label>
<textarea id="arguments" name="arguments" rows="6" maxlength="8000" spellcheck="false">${sampleArguments(definition)}</textarea>
<p class="soft">The call is judged under the policy above and explained. It goes nowhere.</p>
<button>Judge this call</button>
</form>
<h2>Attacks that come by such a tool</h2>
${
  parts.attacks.length === 0
    ? html`<p>None of the attacks in the database comes by what this tool can do by itself. <a href="/attacks">All attacks</a></p>`
    : html`${attackCards(parts.attacks.slice(0, room.attacks).map(({ attack, by }) => ({ attack, by: tellSignals(by) })))}<p><a href="/attacks">All attacks</a></p>`
}
<h2>Other ${words.name} tools</h2>
${parts.neighbours.length === 0 ? html`<p>There are none on other servers.</p>` : toolCards(parts.neighbours)}
<p><a href="${ROOT}/classes/${tool.class}">All ${words.name} tools</a></p>
<h2>Questions and answers</h2>
${questions}`;
}

function showArguments({ arguments: given }: ShownDefinition, room: Room): Html | undefined {
  if (given.length === 0) return undefined;
  const shown = given.slice(0, room.arguments);
  return html`<h2>Arguments</h2>
<div class="wide"><table><thead><tr><th scope="col">Name</th><th scope="col">Type</th><th scope="col">Required</th><th scope="col">Description</th></tr></thead><tbody>${shown.map(
    ({
      name,
      type,
      isRequired,
      description,
    }) => html`<tr><td><code>${cutText(revealLines(name), 80)}</code></td><td>${cutText(revealLines(type), 40)}</td><td>${isRequired ? "yes" : "no"}</td><td>${cutText(revealLines(description), room.argument)}</td></tr>
`,
  )}</tbody></table></div>
${given.length > shown.length && html`<p>… and ${given.length - shown.length} more.</p>`}`;
}

/** To be copied as it stands: a field that can be selected whole, and a file. */
export function showPolicy(policy: string, path: string, room: number): Html {
  const download = html`<p><a href="${path}" download="policy.json">Download policy.json</a></p>`;
  if (policy.length > room) return html`<p>It is too long to be shown here.</p>${download}`;
  const rows = Math.min(policy.split("\n").length, 30);
  return html`<label for="copy">policy.json, to copy</label>
<textarea id="copy" class="policy" rows="${rows}" readonly spellcheck="false">
${policy}</textarea>
${download}`;
}

export function answerToolJson(site: CatalogueSite, catalogue: Catalogue, server: ListedServer, tool: ListedTool): Answer {
  const { record, attacks, neighbours, definition, path, command } = gather(site, catalogue, server, tool);
  return answerJson({
    name: tool.name,
    server: { name: server.name, package: server.package, version: server.version, licence: server.licence, path: serverPath(server) },
    class: tool.class,
    risk: tool.risk,
    signals: tool.signals.map((signal) => ({ ...signal, words: tellSignals([signal]), owasp: SIGNALS[signal.name].owasp })),
    definition: JSON.parse(record.definition) as unknown,
    arguments: definition.arguments,
    policy: JSON.parse(record.policy) as unknown,
    hidden: record.isHidden,
    entry: record.entry,
    fillIn: record.fillIn,
    command,
    attacks: attacks.map(({ attack, by }) => ({
      id: attack.id,
      name: attack.name,
      severity: attack.severity,
      stopped: attack.stopped,
      by,
    })),
    others: neighbours.map((other) => ({ name: other.name, server: other.serverName, path: toolPath(other.serverSlug, other.slug) })),
    page: `${site.baseUrl}${path}`,
  });
}
