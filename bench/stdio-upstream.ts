/**
 * The server of the bench on standard streams: one message a line, the same answers as `upstream.ts`. What arrives in one
 * piece is answered in one.
 */
import { answerMessage, writeResult } from "./upstream-answers.ts";

const serves = { tools: 1, result: writeResult(200) };
let rest = "";

process.stdin.setEncoding("utf8").on("data", (chunk: string) => {
  const lines = (rest + chunk).split("\n");
  rest = lines.pop() as string;
  const answers = lines.filter((line) => line.trim() !== "").map((line) => answerMessage(line, serves));
  const text = answers.filter((answer) => answer !== undefined).map((answer) => `${answer}\n`);
  if (text.length > 0) process.stdout.write(text.join(""));
});
process.stdin.on("end", () => process.exit(0));
