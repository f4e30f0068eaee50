/**
 * What every page of the catalogue stands in: head with its other forms, a way to skip, landmarks, the search, a foot. And
 * what an answer is: a status, headers, a text. No page holds script.
 */
import { type Html, html, jsonBlock, type Piece } from "../html.ts";

export const ROOT = "/catalog";
/** A page longer than this is a defect; what would be longer goes on at the next page. */
export const MAX_PAGE_BYTES: number = 50 * 1024;

const FRESH = "public, max-age=300";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export interface Site {
  /** Where it is reached, without a slash at its end. */
  readonly baseUrl: string;
}

export interface Crumb {
  readonly name: string;
  readonly path: string;
}

export interface PageParts {
  readonly title: string;
  readonly description: string;
  readonly path: string;
  readonly crumbs: readonly Crumb[];
  readonly body: Html;
  /** Where the same stands as JSON. */
  readonly json?: string | undefined;
  readonly structured?: readonly unknown[] | undefined;
  readonly status?: number | undefined;
  /** Not for search engines, and not to be kept. */
  readonly isPrivate?: boolean | undefined;
  readonly words?: string | undefined;
}

const SECURITY = {
  "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
  // A form of a page that tells no referrer comes from nowhere, and is refused.
  "referrer-policy": "same-origin",
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
} as const;

export function answerText(type: string, body: string, more: Readonly<Record<string, string>> = {}): Answer {
  return { status: 200, headers: { ...SECURITY, "content-type": type, "cache-control": FRESH, ...more }, body };
}

export function answerJson(value: unknown): Answer {
  return answerText("application/json; charset=utf-8", `${JSON.stringify(value)}\n`);
}

export function answerPage(site: Site, parts: PageParts): Answer {
  const { status = 200, isPrivate = false } = parts;
  const headers = { ...SECURITY, "content-type": "text/html; charset=utf-8", "cache-control": isPrivate ? "no-store" : FRESH };
  return { status, headers, body: `<!doctype html>\n${printPage(site, parts).text}\n` };
}

/** The way to a page, for programs that read pages. */
function describeCrumbs(site: Site, crumbs: readonly Crumb[]): unknown {
  return {
    "@context": "https://schema.org",
    "@type": "BreadcrumbList",
    itemListElement: crumbs.map(({ name, path }, index) => ({
      "@type": "ListItem",
      position: index + 1,
      name,
      item: `${site.baseUrl}${path}`,
    })),
  };
}

function printPage(site: Site, parts: PageParts): Html {
  const { title, description, path, crumbs, body, json, structured = [], isPrivate = false, words = "" } = parts;
  const blocks = isPrivate ? [] : [describeCrumbs(site, crumbs), ...structured].map(jsonBlock);
  return html`<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<meta name="description" content="${description}">
${isPrivate ? html`<meta name="robots" content="noindex">` : html`<link rel="canonical" href="${site.baseUrl}${path}">`}
${json !== undefined && html`<link rel="alternate" type="application/json" href="${json}">`}
<link rel="alternate" type="application/atom+xml" title="Servers of the catalogue" href="${ROOT}/feed.xml">
<link rel="stylesheet" href="${ROOT}/style.css">
${blocks}
</head>
<body>
<a class="skip" href="#main">Skip to the page</a>
<header>
<nav aria-label="Catalogue">
<a href="${ROOT}"><strong>Sallyport catalogue</strong></a>
<a href="${ROOT}/servers">Servers</a>
<a href="${ROOT}/search">Search</a>
<a href="/attacks">Attacks</a>
<a href="${ROOT}/contact">Contact</a>
</nav>
<form action="${ROOT}/search" method="get" role="search" class="line">
<div><label for="find">Find tools and servers</label><input id="find" name="q" type="search" maxlength="200" value="${words}"></div>
<div><button>Search</button></div>
</form>
</header>
<main id="main">
<nav class="path" aria-label="Where this is">${joinCrumbs(crumbs)}</nav>
${body}
</main>
<footer>
<nav aria-label="Other forms">
${json !== undefined && html`<a href="${json}">This page as JSON</a>`}
<a href="${ROOT}/feed.xml">Feed</a>
<a href="${ROOT}/sitemap.xml">Sitemap</a>
<a href="${ROOT}/llms.txt">llms.txt</a>
</nav>
<p>Classes and risks come from the definitions that servers list, by rules that are the same for every server. They say what a tool can do, not whether it is safe.</p>
</footer>
</body>
</html>`;
}

function joinCrumbs(crumbs: readonly Crumb[]): Piece {
  const last = crumbs.length - 1;
  return crumbs.map(({ name, path }, index) =>
    index === last ? html`<span aria-current="page">${name}</span>` : html`<a href="${path}">${name}</a> / `,
  );
}

export function answerMissing(site: Site): Answer {
  return answerPage(site, {
    status: 404,
    isPrivate: true,
    title: "Not in the catalogue",
    description: "There is no such page.",
    path: ROOT,
    crumbs: [{ name: "Catalogue", path: ROOT }],
    body: html`<h1>Not in the catalogue</h1><p>There is no such page. The search above looks through all tools and servers.</p>`,
  });
}
