/**
 * One letter for one server, by a formula that stands in the docs: a hundred points less what was found, each with its
 * reason. A grade says how much a wrong call or a bad text could do; it certifies nothing. Pure.
 */
import type { FindingKind } from "../mcp/text-findings.ts";
import type { DefinitionFinding } from "../upstream/definition-findings.ts";
import type { Deduction, Grade, ServerDrift, ToolReport } from "./report.ts";

export interface GradeQuestion {
  readonly tools: readonly ToolReport[];
  /** What is noticeable in the server's own instructions. */
  readonly instructions: readonly DefinitionFinding[];
  readonly tokens: number;
  readonly drift: ServerDrift | undefined;
  /** Tools of it that another server's can be taken for, or whose text names another server's. */
  readonly confused: number;
  readonly hasCombination: boolean;
  readonly isPlainHttp: boolean;
  readonly hasNoCredential: boolean;
}

/** Points for each, and at most. */
const COSTS = {
  critical: [5, 25],
  high: [2, 20],
  conflict: [3, 12],
  unusable: [3, 12],
  confused: [5, 20],
} as const;
const HIDDEN_POINTS = 40;
const ADDRESSED_POINTS = 25;
const WIDENED_POINTS = 20;
const CHANGED_POINTS = 5;
const COMBINATION_POINTS = 10;
const PLAIN_HTTP_POINTS = 20;
const NO_CREDENTIAL_POINTS = 10;
const MANY_TOKENS = 10_000;
const TOO_MANY_TOKENS = 25_000;
/** With hidden text a server is no better than this. */
const HIDDEN_CAP = 59;
const LETTERS = [
  [90, "A"],
  [80, "B"],
  [65, "C"],
  [50, "D"],
] as const;

/** Instructions do speak to the model: what counts is what hides, and what sets people aside. */
export function judgeInstructions(noticed: readonly DefinitionFinding[]): "hidden" | "addressed" | undefined {
  if (noticed.some(({ kind }) => UNSEEN.has(kind))) return "hidden";
  return noticed.some(({ kind }) => ASIDE.has(kind)) ? "addressed" : undefined;
}

const UNSEEN: ReadonlySet<FindingKind> = new Set([
  "tag_characters",
  "bidi",
  "invisible",
  "control",
  "terminal_escape",
  "unassigned",
  "confusable",
  "hidden_markup",
]);
const ASIDE: ReadonlySet<FindingKind> = new Set(["overrides", "hides_from_user", "names_secrets", "sends_away"]);

export function gradeServer(question: GradeQuestion): Grade {
  const { tools, tokens, drift } = question;
  const deductions: Deduction[] = [];
  const take = (points: number, reason: string): void => {
    if (points > 0) deductions.push({ points, reason });
  };
  const count = (count: number, [each, most]: readonly [number, number], one: string, many: string): void =>
    take(Math.min(count * each, most), count === 1 ? `1 ${one}` : `${count} ${many}`);
  const having = (signal: string): number => tools.filter(({ signals }) => signals.some(({ name }) => name === signal)).length;
  const told = judgeInstructions(question.instructions);
  const hidden = having("hidden_text") + (told === "hidden" ? 1 : 0);
  if (hidden > 0) take(HIDDEN_POINTS, `hidden text in ${hidden} ${hidden === 1 ? "place" : "places"}`);
  const addressed = having("addresses_model") + (told === "addressed" ? 1 : 0);
  if (addressed > 0) take(ADDRESSED_POINTS, `text that addresses the model in ${addressed} ${addressed === 1 ? "place" : "places"}`);
  count(tools.filter(({ risk }) => risk === "critical").length, COSTS.critical, "tool of critical risk", "tools of critical risk");
  count(tools.filter(({ risk }) => risk === "high").length, COSTS.high, "tool of high risk", "tools of high risk");
  count(having("annotation_conflict"), COSTS.conflict, "tool whose annotations contradict it", "tools whose annotations contradict them");
  count(
    tools.filter(({ unusable }) => unusable !== undefined).length,
    COSTS.unusable,
    "definition that can't be used",
    "definitions that can't be used",
  );
  count(
    question.confused,
    COSTS.confused,
    "name or text that is mixed up with another server's",
    "names or texts that are mixed up with another server's",
  );
  const effects = new Set(drift?.tools.map(({ effect, kind }) => (kind === "changed" ? effect : "widens")));
  if (effects.has("widens") || effects.has("unclear")) take(WIDENED_POINTS, "definitions that changed or came since the last scan");
  else if (effects.size > 0) take(CHANGED_POINTS, "definitions that were reworded since the last scan");
  if (question.hasCombination) take(COMBINATION_POINTS, "it has all three parts of a dangerous combination");
  if (question.isPlainHttp) take(PLAIN_HTTP_POINTS, "it is reached without encryption");
  if (question.hasNoCredential) take(NO_CREDENTIAL_POINTS, "it answers without a credential");
  if (tokens > TOO_MANY_TOKENS) take(10, `definitions of about ${tokens} tokens`);
  else if (tokens > MANY_TOKENS) take(5, `definitions of about ${tokens} tokens`);
  const left = Math.max(0, 100 - deductions.reduce((sum, { points }) => sum + points, 0));
  const score = hidden > 0 ? Math.min(left, HIDDEN_CAP) : left;
  return { letter: LETTERS.find(([from]) => score >= from)?.[1] ?? "F", score, deductions };
}
