/** The attack database as pages: all attacks, one attack with its records, what stops it and what does not. */
import { ATTACK_KINDS, type Attack, OWASP_ENTRIES, type Stop } from "../../catalog/attacks/attack.ts";
import { browseAttacks } from "../../catalog/attacks/browse-attacks.ts";
import { SIGNALS } from "../../catalog/signals.ts";
import { type Html, html } from "../html.ts";
import { type Answer, answerJson, answerMissing, answerPage, ROOT } from "./layout.ts";
import type { CatalogueSite } from "./site.ts";
import { countOf, cutText, RISK_NAMES } from "./words.ts";

export const ATTACKS = "/attacks";

const STOP_WORDS: Readonly<Record<Stop, string>> = {
  yes: "The gateway stops it",
  partly: "The gateway stops part of it",
  no: "A gateway can't stop it",
};
const MAX_CARD_CHARACTERS = 220;

export interface AttackCard {
  readonly attack: Attack;
  /** What it comes by: signals of a tool, or names of tools. */
  readonly by: string;
}

export function attackCards(cards: readonly AttackCard[]): Html {
  return html`<ul class="cards">${cards.map(
    ({ attack, by }) => html`<li><a href="${ATTACKS}/${attack.id}"><strong>${attack.name}</strong></a>
<p><span class="badge ${attack.severity}">${RISK_NAMES[attack.severity]}</span> <span class="soft">${STOP_WORDS[attack.stopped]}</span></p>
<p>${cutText(attack.what, MAX_CARD_CHARACTERS)}</p>${by !== "" && html`<p class="soft">By: ${cutText(by, MAX_CARD_CHARACTERS)}</p>`}</li>
`,
  )}</ul>`;
}

export function answerAttacks(site: CatalogueSite): Answer {
  const records = site.attacks.reduce((sum, attack) => sum + attack.records.length, 0);
  const kinds = Object.entries(ATTACK_KINDS) as [Attack["kind"], string][];
  return answerPage(site, {
    title: "MCP attack database",
    description: `${countOf(site.attacks.length, "attack")} on agents and MCP servers with ${countOf(records, "dated record")}, and what stops them.`,
    path: ATTACKS,
    json: `${ATTACKS}.json`,
    crumbs: [
      { name: "Catalogue", path: ROOT },
      { name: "Attacks", path: ATTACKS },
    ],
    body: html`<h1>MCP attack database</h1>
<p>${countOf(site.attacks.length, "attack")} with ${countOf(records, "dated record")}. What is said to stop one is a test that runs with every change of the gateway.</p>
${kinds.map(([kind, words]) => {
  const attacks = browseAttacks(site.attacks, { kind });
  return (
    attacks.length > 0 &&
    html`<h2 id="${kind}">${words}</h2><ul>${attacks.map((attack) => html`<li><a href="${ATTACKS}/${attack.id}">${attack.name}</a> <span class="soft">${RISK_NAMES[attack.severity]} · ${STOP_WORDS[attack.stopped]}</span></li>`)}</ul>`
  );
})}`,
  });
}

export function answerAttacksJson(site: CatalogueSite): Answer {
  const attacks = browseAttacks(site.attacks);
  return answerJson({
    attacks: attacks.map(({ id, name, kind, severity, stopped, owasp }) => ({
      id,
      name,
      kind,
      severity,
      stopped,
      owasp,
      path: `${ATTACKS}/${id}`,
    })),
  });
}

export function answerAttackJson(site: CatalogueSite, id: string): Answer {
  const attack = site.attacks.find((known) => known.id === id);
  return attack ? answerJson(attack) : answerMissing(site);
}

export function answerAttack(site: CatalogueSite, id: string): Answer {
  const attack = site.attacks.find((known) => known.id === id);
  if (!attack) return answerMissing(site);
  const path = `${ATTACKS}/${id}`;
  const signals = [...new Set([...(attack.touches.signals ?? []), ...(attack.touches.legs ?? []).flatMap((leg) => leg.signals ?? [])])];
  return answerPage(site, {
    title: `${attack.name}: MCP attack`,
    description: cutText(attack.what, 160),
    path,
    json: `${path}.json`,
    crumbs: [
      { name: "Catalogue", path: ROOT },
      { name: "Attacks", path: ATTACKS },
      { name: attack.name, path },
    ],
    structured: [
      {
        "@context": "https://schema.org",
        "@type": "TechArticle",
        headline: attack.name,
        description: attack.what,
        url: `${site.baseUrl}${path}`,
      },
    ],
    body: html`<p><span class="badge ${attack.severity}">${RISK_NAMES[attack.severity]}</span> <span class="soft">${ATTACK_KINDS[attack.kind]}</span></p>
<h1>${attack.name}</h1>
<p>${attack.what}</p>
<h2>How it goes</h2><p>${attack.how}</p>
<h2>${STOP_WORDS[attack.stopped]}</h2><p>${attack.why}</p>
${attack.not_stopped.length > 0 && html`<p>Not stopped:</p><ul>${attack.not_stopped.map((words) => html`<li>${words}</li>`)}</ul>`}
${attack.proofs.length > 0 && html`<p>Shown by:</p><ul>${attack.proofs.map(({ by, file, name }) => html`<li>${by}: <code>${file}</code>${name !== undefined && ` (${name})`}</li>`)}</ul>`}
${attack.look_for.length > 0 && html`<h2>What shows in the log</h2><ul>${attack.look_for.map(({ where, means }) => html`<li><code>${JSON.stringify(where)}</code>: ${means}</li>`)}</ul>`}
${signals.length > 0 && html`<h2>Tools that it comes by</h2><ul>${signals.map((signal) => html`<li><a href="${ROOT}/search?signal=${signal}">${SIGNALS[signal].words}</a></li>`)}</ul>`}
<h2>Filed under</h2>
<ul>${attack.owasp.map((entry) => html`<li>${entry}: ${OWASP_ENTRIES[entry]}</li>`)}${attack.also.map((entry) => html`<li>${entry}</li>`)}</ul>
<h2>On record</h2>
${attack.records.map(
  (record) => html`<h3>${record.name}${record.date !== undefined && html` <span class="soft">${record.date}</span>`}</h3>
<p>${record.what} <span class="soft">${[...(record.advisories ?? []), ...record.sources].join(" · ")}</span></p>`,
)}`,
  });
}
