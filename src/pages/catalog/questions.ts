/**
 * Questions and answers of a tool, with every number read off the policy that its page shows: what it does, how to enforce
 * a rule, its risk, its limit, how to block it, what it takes, who provides it.
 */
import type { ListedServer, ListedTool, ToolRecord } from "../../catalog/store/read-catalogue.ts";
import { escapeUnseen } from "../../catalog/store/write-catalogue.ts";
import { type Html, html } from "../html.ts";
import type { ShownDefinition } from "./definition.ts";
import { CLASS_WORDS, countOf, RISK_NAMES, revealLines, showName, tellEntry, tellSignals } from "./words.ts";

export interface Question {
  readonly question: string;
  readonly answer: string;
  /** A policy, whole, that the answer speaks of. */
  readonly policy?: string | undefined;
}

export interface AskedTool {
  readonly name: string;
  readonly serverName: string;
  readonly server: ListedServer;
  readonly tool: ListedTool;
  readonly record: ToolRecord;
  readonly definition: ShownDefinition;
  readonly command: string;
}

export function listQuestions(asked: AskedTool): readonly Question[] {
  const { name, serverName, server, tool, record, definition } = asked;
  const words = CLASS_WORDS[tool.class];
  const brief = revealLines(tool.brief);
  const said = /[.!?…]$/.test(brief) || brief === "" ? brief : `${brief}.`;
  const { arguments: given } = definition;
  const required = given.filter(({ isRequired }) => isRequired).length;
  const signals = tellSignals(tool.signals);
  return [
    {
      question: `What does the ${name} tool do?`,
      answer: `${said} It is a ${words.name} tool of the ${serverName} server: it ${words.can}.`.trim(),
    },
    {
      question: `How do I enforce a policy on ${name}?`,
      answer: `Save the policy of this page as policy.json and put the gateway in front of the server: ${asked.command}. From the next call on every call is judged before it reaches the server.`,
    },
    {
      question: `What risk level is ${name}?`,
      answer: `${RISK_NAMES[tool.risk]}, as a ${words.name} tool${signals === "" ? " without further signals" : `: ${signals}`}. ${words.summary}`,
    },
    {
      question: `Can I rate-limit ${name}?`,
      answer: record.isHidden
        ? "Yes, once it is open. The suggested policy hides it, so that there is nothing to count; the policy below is one to open it with."
        : `Yes, and the suggested policy does. ${tellEntry(record.entry, false)} Change \`max\` and \`window\` to what fits; a call over the limit is refused before it leaves, and the agent is told when to come back.`,
      policy: record.isHidden ? printOpened(tool, record) : undefined,
    },
    {
      question: `How do I block ${name} completely?`,
      answer: "Deny it, with a reason that the agent is told, or name it under `hide`, so that agents do not even see it.",
      policy: printEntry(tool, { action: "deny", reason: "This tool is not for agents." }),
    },
    {
      question: `What arguments does ${name} take?`,
      answer: given.length === 0 ? "It declares none." : `${countOf(given.length, "argument")}, of which ${required} required.`,
    },
    {
      question: `Which MCP server provides ${name}?`,
      answer: `The ${serverName} server${server.package === undefined ? "" : `, npm package ${showName(server.package)}${server.version === undefined ? "" : ` ${showName(server.version)}`}`}. It lists ${countOf(server.tools, "tool")}.`,
    },
  ];
}

const printEntry = ({ name }: ListedTool, entry: unknown): string =>
  escapeUnseen(JSON.stringify({ version: "1", default: "deny", tools: { [escapeSelector(name)]: entry } }, null, 2));

/** The entry that the tool would have if it were not hidden. */
function printOpened(tool: ListedTool, { entry }: ToolRecord): string {
  return printEntry(tool, entry);
}

function escapeSelector(name: string): string {
  return name.replaceAll("\\", "\\\\").replaceAll("*", "\\*").replace(/^@/, "\\@");
}

export function showQuestions(questions: readonly Question[]): Html {
  return html`${questions.map(
    ({
      question,
      answer,
      policy,
    }) => html`<details><summary>${question}</summary><p>${answer}</p>${policy !== undefined && html`<pre class="policy"><code>${policy}</code></pre>`}</details>
`,
  )}`;
}

/** For search engines: the very same questions and answers. */
export function describeQuestions(questions: readonly Question[]): unknown {
  return {
    "@context": "https://schema.org",
    "@type": "FAQPage",
    mainEntity: questions.map(({ question, answer }) => ({
      "@type": "Question",
      name: question,
      acceptedAnswer: { "@type": "Answer", text: answer },
    })),
  };
}
