/** The text of `docs/interop.md`: what each pair of client and server was seen to do. */
import { type Cell, FEATURES } from "./matrix.ts";

const HEAD = `# Clients and servers

Every client here was run through a gateway before every server here. ✓ was exercised and worked, – is what the server
lacks. The page is written by the test that runs them.

`;

const TAIL = `
| feature | what is done |
|---|---|
| tools, denial | the list, a call, and a call that the policy denies |
| progress | every notification of a call arrives, in order |
| errors | a tool's own error arrives as it is |
| resources, templates, prompts, completion | the list, and one of it |
| elicitation, sampling, roots | the server asks in the middle of a call, the client answers, the call goes on |
| changes | the server says that its tools changed, and the client hears of it |

*SDK 1* is \`@modelcontextprotocol/sdk\`, *SDK 2* \`@modelcontextprotocol/client\`; *legacy* is the protocol up to 2025-11-25,
*modern* 2026-07-28. The fixtures are those of the [conformance suite](conformance.md).

*Written by \`node tools/write-interop.ts\`.*
`;

function printCell(cell: Cell): string {
  const marks = FEATURES.map((feature) => (cell.works[feature] === undefined ? "–" : cell.works[feature] === true ? "✓" : "fails"));
  return `| ${cell.server} | ${cell.over} | ${cell.client} | ${marks.join(" | ")} |\n`;
}

export function printMatrix(cells: readonly Cell[]): string {
  const head = `| server | over | client | ${FEATURES.join(" | ")} |\n|${"---|".repeat(FEATURES.length + 3)}\n`;
  return `${HEAD}${head}${cells.map(printCell).join("")}${TAIL}`;
}
