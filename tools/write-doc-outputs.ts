/**
 * Runs the commands of the pages that are named (left out: README and all of docs) and writes what they really say in
 * place of what the pages show. Output that is the same but for times and ids is left as it stands.
 */
import { globSync, readFileSync, writeFileSync } from "node:fs";
import { isSameOutput } from "./docs/compare-output.ts";
import { readPage } from "./docs/read-page.ts";
import { runPage } from "./docs/run-page.ts";

const named = process.argv.slice(2);
const files = named.length > 0 ? named : ["README.md", ...globSync("docs/**/*.md")];
for (const file of files) {
  const markdown = readFileSync(file, "utf8");
  const lines = markdown.split("\n");
  const ran = await runPage(readPage(markdown));
  for (const { command, exit, said } of [...ran].reverse()) {
    if (exit !== command.exit) process.stdout.write(`${file}:${command.line}: exit ${exit}, not ${command.exit}\n${said}\n`);
    if (command.outputLines === undefined || isSameOutput(command.output ?? "", said)) continue;
    const [first, end] = command.outputLines;
    lines.splice(
      first - 1,
      end - first,
      ...said
        .replace(/[ \t]+$/gm, "")
        .trimEnd()
        .split("\n")
        .filter((line, at) => at > 0 || line !== ""),
    );
    process.stdout.write(`${file}:${first}: written\n`);
  }
  const text = lines.join("\n");
  if (text !== markdown) writeFileSync(file, text);
}
