/** Rows as a table that reads in a terminal and as Markdown. */

export type Cell = string | number;
export type Row = Readonly<Record<string, Cell>>;

export function printTable(rows: readonly Row[]): string {
  const [first] = rows;
  if (!first) return "";
  const columns = Object.keys(first);
  const text = (cell: Cell | undefined): string => (cell === undefined ? "" : String(cell));
  const widths = columns.map((column) => Math.max(column.length, ...rows.map((row) => text(row[column]).length)));
  const print = (cells: readonly string[]): string =>
    `| ${cells.map((cell, index) => (index === 0 ? cell.padEnd(widths[index] as number) : cell.padStart(widths[index] as number))).join(" | ")} |`;
  const rule = `|${widths.map((width, index) => (index === 0 ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`)).join("|")}|`;
  return `${[print(columns), rule, ...rows.map((row) => print(columns.map((column) => text(row[column]))))].join("\n")}\n`;
}
