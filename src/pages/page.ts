/**
 * A public page: a title and paragraphs, in HTML that holds no script, loads nothing and may stand in no frame. Whatever
 * is put into it is text and stays text.
 */
import { createHash } from "node:crypto";
import type { ServerResponse } from "node:http";
import { escapeHtml } from "./html.ts";

const STYLE =
  "body{font:16px/1.5 system-ui,sans-serif;max-width:38rem;margin:4rem auto;padding:0 1rem}code{background:#8883;padding:.1em .3em}";
const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

const PAGE_HEADERS = {
  "content-type": "text/html; charset=utf-8",
  "content-security-policy": `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

/** Words, or words that are to be read letter by letter. */
export type Piece = string | { readonly code: string };

export interface Page {
  readonly status: number;
  readonly title: string;
  readonly paragraphs: readonly (readonly Piece[])[];
  readonly headers?: Readonly<Record<string, string>>;
}

export function sendPage(response: ServerResponse, page: Page): void {
  const body = Buffer.from(printPage(page));
  response.writeHead(page.status, { ...PAGE_HEADERS, ...page.headers, "content-length": body.length });
  response.end(body);
}

/** Sends the browser elsewhere, for this once. */
export function sendElsewhere(response: ServerResponse, url: string, headers: Readonly<Record<string, string>>): void {
  const { "cache-control": cache, "referrer-policy": referrer } = PAGE_HEADERS;
  response.writeHead(303, { location: url, "cache-control": cache, "referrer-policy": referrer, ...headers, "content-length": 0 });
  response.end();
}

function printPage({ title, paragraphs }: Page): string {
  const lines = paragraphs.map((pieces) => `<p>${pieces.map(printPiece).join("")}</p>`);
  return `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>${escapeHtml(title)}</title>\n<style>${STYLE}</style>\n<h1>${escapeHtml(title)}</h1>\n${lines.join("\n")}\n</html>\n`;
}

function printPiece(piece: Piece): string {
  return typeof piece === "string" ? escapeHtml(piece) : `<code>${escapeHtml(piece.code)}</code>`;
}
