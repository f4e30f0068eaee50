/** A strict reading of the HTML that pages of ours may hold: every element closed, every attribute quoted, nothing else. */

const VOID = new Set(["meta", "link", "input", "br"]);
const TAG = /<(\/?)([a-z][a-z0-9]*)((?:\s+[a-z][a-z-]*(?:="[^"<>]*")?)*)\s*>/y;
const ATTRIBUTE = /([a-z][a-z-]*)(?:="([^"]*)")?/g;

export interface Element {
  readonly tag: string;
  readonly attributes: ReadonlyMap<string, string>;
  /** What stands in it, without the tags. */
  text: string;
}

export interface ReadPage {
  readonly elements: readonly Element[];
  readonly faults: readonly string[];
}

export function unescapeHtml(text: string): string {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&");
}

export function readHtml(page: string): ReadPage {
  const elements: Element[] = [];
  const open: Element[] = [];
  const faults: string[] = [];
  const body = page.replace(/^<!doctype html>\n/, "");
  if (body === page) faults.push("no doctype");
  for (let at = 0; at < body.length; ) {
    const next = body.indexOf("<", at);
    const words = body.slice(at, next < 0 ? undefined : next);
    if (/&(?!(?:amp|lt|gt|quot|#39);)/.test(words)) faults.push(`a bare & in ${words.slice(0, 60)}`);
    for (const element of open) element.text += unescapeHtml(words);
    if (next < 0) break;
    TAG.lastIndex = next;
    const match = TAG.exec(body);
    if (!match) {
      faults.push(`no tag: ${body.slice(next, next + 60)}`);
      at = next + 1;
      continue;
    }
    at = TAG.lastIndex;
    const [, closing, tag = "", rest = ""] = match;
    if (closing) {
      const last = open.pop();
      if (last?.tag !== tag) faults.push(`</${tag}> closes <${last?.tag}>`);
      continue;
    }
    const attributes = new Map([...rest.matchAll(ATTRIBUTE)].map(([, name = "", value = ""]) => [name, unescapeHtml(value)]));
    const element = { tag, attributes, text: "" };
    elements.push(element);
    if (VOID.has(tag)) continue;
    if (tag === "script") {
      // A block of data: everything up to its end is its text.
      const end = body.indexOf("</script>", at);
      element.text = body.slice(at, end);
      at = end + "</script>".length;
    } else open.push(element);
  }
  if (open.length > 0) faults.push(`never closed: ${open.map(({ tag }) => tag).join(", ")}`);
  return { elements, faults };
}
