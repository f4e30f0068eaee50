/**
 * Judges a call of a tool under its suggested policy, by the gateway's own decision, and tells how. Nothing is called,
 * counted or kept.
 */
import type { Catalogue, ListedServer, ListedTool } from "../../catalog/store/read-catalogue.ts";
import { isJsonObject, type JsonObject, readMember } from "../../kernel/json.ts";
import { isJsonFault, parseStrictJson } from "../../kernel/strict-json.ts";
import { compilePolicy } from "../../policy/compile.ts";
import { type Explanation, explainCall } from "../../policy/explain.ts";
import { loadOperators } from "../../policy/operators/registry.ts";
import { parsePolicy } from "../../policy/parse.ts";
import { denyApproval } from "../../policy/refusal.ts";
import { compileInputSchema } from "../../policy/schema/input-schema.ts";
import { type Html, html } from "../html.ts";
import { readDefinition } from "./definition.ts";
import { type Answer, answerPage, ROOT } from "./layout.ts";
import { serverPath, toolPath } from "./lists.ts";
import type { CatalogueSite } from "./site.ts";
import { cutText, revealLines, showName } from "./words.ts";

const MAX_ARGUMENT_CHARACTERS = 8_000;
const MAX_TOLD_CHARACTERS = 400;
const MAX_STEPS = 60;

export async function answerTry(
  site: CatalogueSite,
  catalogue: Catalogue,
  server: ListedServer,
  tool: ListedTool,
  form: URLSearchParams,
  nowMs: number,
): Promise<Answer> {
  await loadOperators();
  const given = (form.get("arguments") ?? "").slice(0, MAX_ARGUMENT_CHARACTERS);
  const path = toolPath(server.slug, tool.slug);
  const name = showName(tool.name);
  const parsed = parseStrictJson(given.trim() === "" ? "{}" : given);
  const args = isJsonFault(parsed) ? undefined : parsed.value;
  const told = isJsonObject(args)
    ? showExplanation(explain(catalogue, server, tool, args, nowMs))
    : html`<p role="status">The arguments have to be a JSON object${isJsonFault(parsed) && `: ${parsed.message}`}.</p>`;
  return answerPage(site, {
    title: `${name}: a call judged`,
    description: "A call under the suggested policy.",
    path,
    isPrivate: true,
    status: isJsonObject(args) ? 200 : 400,
    crumbs: [
      { name: "Catalogue", path: ROOT },
      { name: showName(server.name), path: serverPath(server) },
      { name, path },
      { name: "A call judged", path: `${path}/try` },
    ],
    body: html`<h1>${name}: a call judged</h1>
${told}
<h2>Another one</h2>
<form action="${path}/try" method="post">
<label for="arguments">Arguments of a call, as JSON</label>
<textarea id="arguments" name="arguments" rows="6" maxlength="${MAX_ARGUMENT_CHARACTERS}" spellcheck="false">
${given.slice(0, 2_000)}</textarea>
<button>Judge this call</button>
</form>
<p><a href="${path}">Back to ${name}</a></p>`,
  });
}

function explain(catalogue: Catalogue, server: ListedServer, tool: ListedTool, args: JsonObject, nowMs: number): Explanation | undefined {
  const record = catalogue.readTool(tool);
  const policy = parsePolicy(record.policy, { format: "json" });
  if (!policy.ok) return undefined;
  const { value } = readDefinition(record.definition);
  const schema = readMember(value, "inputSchema");
  const prepared = schema === undefined ? undefined : compileInputSchema(schema);
  const annotations = readMember(value, "annotations");
  const facts = {
    name: tool.name,
    class: tool.class,
    risk: tool.risk,
    annotations: isJsonObject(annotations) ? annotations : undefined,
    inputSchema: prepared && "schema" in prepared ? prepared.schema : undefined,
    ...(prepared && "unusable" in prepared ? { quarantined: true } : {}),
  };
  return explainCall(
    compilePolicy(policy.value),
    { name: tool.name, args, tool: facts },
    { grant: { label: "catalogue", tags: {} }, server: { name: server.slug }, nowMs },
  );
}

function showExplanation(explanation: Explanation | undefined): Html {
  if (explanation === undefined) return html`<p role="status">Its policy can't be read.</p>`;
  const { decision, steps } = explanation;
  const [word, why] =
    decision.decision === "deny"
      ? ["Denied", decision]
      : decision.approval
        ? ["Held for a person", denyApproval(decision.approval)]
        : ["Allowed", undefined];
  return html`<p role="status"><strong>${word}${word === "Allowed" && decision.decision === "permit" && decision.charges.length > 0 && ", if its limits have room"}.</strong>${why && ` ${cutText(revealLines(why.message), MAX_TOLD_CHARACTERS)}`}</p>
${why && html`<p class="soft">${why.code}, ${cutText(revealLines(why.rule), MAX_TOLD_CHARACTERS)}</p>`}
<h2>Question by question</h2>
<ol>${steps
    .slice(0, MAX_STEPS)
    .map(
      ({ question, rule, answer }) =>
        html`<li>${question}${rule !== undefined && html` <code>${cutText(revealLines(rule), 120)}</code>`}<br>${cutText(revealLines(answer), MAX_TOLD_CHARACTERS)}</li>`,
    )}</ol>`;
}
