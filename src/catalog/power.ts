/**
 * Raw power: a language that can change things, handed over as a text and run. A tool that does this is Execute whatever
 * it calls itself. Languages that can only ask stay what the verbs say.
 */
import type { Field } from "./fields.ts";
import { foldText, type Word } from "./fold-words.ts";

export interface Power {
  readonly kind: "code" | "commands" | "sql";
  readonly field: Field | undefined;
  /** The words that said it, where no argument did. */
  readonly words: readonly Word[];
}

const RUNS = /^(?:execut|run|eval|exec|perform|invok|interpret|launch|rerun|call)/;
const SHELLS: ReadonlySet<string> = new Set([
  "shell",
  "bash",
  "terminal",
  "command",
  "commands",
  "cmd",
  "powershell",
  "process",
  "repl",
  "console",
  "cli",
  "ssh",
  "adb",
  "exec",
]);
const CHANGING = /\b(?:\w*sql|cypher|graphql|gremlin|aql|n1ql|plsql|t-sql|hql|surrealql|dml|ddl)\b/;
/** Tools that look at code or rewrite it, rather than run it. */
const DERIVING: ReadonlySet<string> = new Set(
  `format validate lint parse convert translate highlight analyze analyse explain optimize optimise review prettify minify generate create update save edit write beautify check compare summarize detect document refactor transform decompile suggest improve add set upload share import estimate verify score deploy register build render decode encode encrypt decrypt hash`.split(
    /\s+/,
  ),
);
const CODE_KEYS =
  /^(?:python|js|java)?(?:code|script|javascript|python|expression|source|program|macro|snippet)(?:torun|toexecute|content|string|text)?$|^(?:map|reduce)(?:function)?$/;
const COMMAND_KEYS = /^(?:shell|bash|terminal|system)?(?:command|commands|cmd|cmds|commandline|shell|bash|powershell|shellcommand)$/;
const SQL_KEYS = /^(?:raw)?(?:sql|sqlquery|sqlquerystring|sqltext|sqlstatement|sqlstring|querysql|cypher|cypherquery|plsql|gremlin)$/;
const QUERY_KEYS = /^(?:query|queries|statement|statements|querystring|querytext|rawquery|customquery)$/;

export interface PowerQuestion {
  readonly fields: readonly Field[];
  readonly nameWords: readonly Word[];
  readonly clauseWords: readonly Word[];
  /** The verbs that were found to lead. */
  readonly verbs: readonly string[];
  readonly description: string;
}

export function findPower(question: PowerQuestion): Power | undefined {
  const { fields, nameWords, clauseWords, verbs } = question;
  const isRunning = verbs.some((verb) => RUNS.test(verb));
  const isDeriving = !isRunning && verbs.some((verb) => DERIVING.has(verb));
  const said = foldText(question.description);
  const typed = findTyped(fields, nameWords, clauseWords, verbs);
  if (typed) return typed;
  const speaksShell = [...nameWords, ...clauseWords].some(({ text }) => SHELLS.has(text));
  for (const field of fields) {
    if (field.choices.length > 0 || !(field.types.size === 0 || field.types.has("string") || field.types.has("array"))) continue;
    const about = field.said;
    const isRun = /\b(?:execut\w*|run|eval\w*)\b/.test(about) && !/\b(?:do not|never) run\b/.test(about);
    const { joined } = field;
    if (COMMAND_KEYS.test(joined) && (isRunning || isRun || (speaksShell && !isDeriving))) return { kind: "commands", field, words: [] };
    if (SQL_KEYS.test(joined) && !isDeriving) return { kind: "sql", field, words: [] };
    if (QUERY_KEYS.test(joined) && !isNatural(about, said)) {
      const speaks =
        CHANGING.test(about) ||
        (CHANGING.test(said.slice(0, MAX_SAID)) && (isRunning || /\bquer(?:y|ies)\b/.test(said.slice(0, MAX_SAID))));
      if ((speaks || nameWords.some(({ text }) => CHANGING.test(text))) && (!isDeriving || isRun)) return { kind: "sql", field, words: [] };
    }
    if (
      CODE_KEYS.test(joined) &&
      (isRunning || (isRun && !isDeriving)) &&
      !/\b(?:language|country|currency|error|status) code\b/.test(about)
    )
      return { kind: "code", field, words: [] };
  }
  return findSaidPower(clauseWords, nameWords, isRunning);
}

const MAX_SAID = 1_000;

const TERMINALS: ReadonlySet<string> = new Set(["terminal", "shell", "console", "repl", "process", "tty", "pty", "tmux"]);
const TYPING: ReadonlySet<string> = new Set(["send", "write", "type", "interact", "paste", "input", "feed"]);

/** What is typed into a running shell is run. */
function findTyped(
  fields: readonly Field[],
  nameWords: readonly Word[],
  clauseWords: readonly Word[],
  verbs: readonly string[],
): Power | undefined {
  if (!verbs.some((verb) => TYPING.has(verb))) return undefined;
  if (![...nameWords, ...clauseWords.slice(0, MAX_REACH)].some(({ text }) => TERMINALS.has(text))) return undefined;
  const field = fields.find(({ joined }) => /^(?:command|commands|input|text|data|keys|line|content)$/.test(joined));
  return field && { kind: "commands", field, words: [] };
}

function isNatural(about: string, said: string): boolean {
  return /\bnatural[ -]language\b/.test(about) || /\bnatural[ -]language\b.{0,40}\b(?:to|into)\b/.test(said.slice(0, MAX_SAID));
}

const SAID: ReadonlySet<string> = new Set(
  "sql command commands script scripts code javascript python shell bash powershell cypher statement statements graphql".split(" "),
);
const MAX_REACH = 9;

/** "Executes … SQL", "run a shell command": said in the first clause, where no schema shows it. */
function findSaidPower(clauseWords: readonly Word[], nameWords: readonly Word[], isRunning: boolean): Power | undefined {
  const speaks =
    clauseWords.slice(0, 14).some(({ text }, at) => CHANGING.test(text) || (text === "select" && at < 5)) ||
    nameWords.some(({ text }) => CHANGING.test(text));
  const runs = clauseWords.slice(0, 4).find(({ text }) => /^(?:execut(?:e|es|ing)|runs?|running)$/.test(text));
  const asked = clauseWords.slice(0, MAX_REACH).find(({ text }) => text === "query" || text === "queries");
  const base = clauseWords.slice(0, 6).findIndex(({ text }) => text === "database");
  const queried = clauseWords[0];
  if (
    queried &&
    /^quer(?:y|ies)$/.test(queried.text) &&
    base > 0 &&
    !clauseWords.slice(0, base).some(({ text }) => text === "from" || text === "in")
  )
    return { kind: "sql", field: undefined, words: [queried, clauseWords[base] as Word] };
  if (speaks && runs && asked) return { kind: "sql", field: undefined, words: [runs, asked] };
  for (const words of [clauseWords, nameWords]) {
    for (const [at, word] of words.entries()) {
      if (!/^(?:execut(?:e|es|ing)|runs?|running|exec|evaluates?|evaluating|eval)$/.test(word.text)) continue;
      const object = words.slice(at + 1, at + MAX_REACH).find(({ text }) => SAID.has(text));
      if (object && (at === 0 || isRunning)) {
        const kind = /^(?:sql|cypher|statement|graphql)/.test(object.text)
          ? "sql"
          : /^(?:command|shell|bash|power)/.test(object.text)
            ? "commands"
            : "code";
        return { kind, field: undefined, words: [word, object] };
      }
    }
  }
  return undefined;
}
