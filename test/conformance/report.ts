/** The rows of a run as the table that stands in docs/conformance.md. */
import type { RowReport } from "./run.ts";

const HEAD = "| what is run | without the gateway | through it |\n|---|---|---|\n";
const START = "<!-- figures -->\n";
const END = "<!-- /figures -->";

export function printRow({ name, scored, alone, through }: RowReport): string {
  return `| ${name} | ${alone} of ${scored} | ${through} of ${scored} |\n`;
}

export function printTable(rows: readonly RowReport[]): string {
  return `${HEAD}${rows.map(printRow).join("")}`;
}

/** Where the table stands in the page. */
function findTable(page: string): readonly [from: number, to: number] {
  const [from, to] = [page.indexOf(START), page.indexOf(END)];
  if (from < 0 || to < from) throw new Error("the page has no place for the figures");
  return [from + START.length, to];
}

export const readTable = (page: string): string => page.slice(...findTable(page));

export function fillPage(page: string, table: string): string {
  const [from, to] = findTable(page);
  return page.slice(0, from) + table + page.slice(to);
}
