/** Every page of a catalogue: good HTML, links that lead somewhere, policies that are good and alike, strangers' text as text. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { MAX_PAGE_BYTES } from "../../../src/pages/catalog/layout.ts";
import { BADGES, COLOURS } from "../../../src/pages/catalog/style.ts";
import { loadOperators } from "../../../src/policy/operators/registry.ts";
import { parsePolicy } from "../../../src/policy/parse.ts";
import { BASE_URL, openTestCatalogue, type TestCatalogue } from "./fixture.ts";
import { type ReadPage, readHtml } from "./read-html.ts";

const MAX_CRAWLED = 2_000;

interface Crawled {
  readonly address: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly page: ReadPage;
}

let catalogue: TestCatalogue;
let pages: readonly Crawled[];
const missing: string[] = [];
const others = new Map<string, string>();

/** From the front page to everything that can be reached. */
async function crawl(): Promise<readonly Crawled[]> {
  const seen = new Set(["/catalog"]);
  const crawled: Crawled[] = [];
  for (const address of seen) {
    const { status, headers, body } = await catalogue.ask(address);
    if (status !== 200) missing.push(`${address}: ${status}`);
    if (!(headers["content-type"] ?? "").startsWith("text/html")) {
      others.set(address, body);
      continue;
    }
    const page = readHtml(body);
    crawled.push({ address, body, headers, page });
    for (const { attributes, tag } of page.elements) {
      const link = tag === "form" ? undefined : attributes.get("href");
      if (link?.startsWith(BASE_URL)) seen.add(link.slice(BASE_URL.length));
      else if (link?.startsWith("/") && seen.size < MAX_CRAWLED) seen.add(link.split("#")[0] as string);
    }
  }
  return crawled;
}

beforeAll(async () => {
  await loadOperators();
  catalogue = await openTestCatalogue();
  pages = await crawl();
});
afterAll(() => catalogue.close());

const find = (address: string): Crawled => pages.find((page) => page.address === address) as Crawled;

describe("pages of a catalogue", () => {
  it("are all reached from the front page, and no link leads nowhere", () => {
    expect(pages.length).toBeGreaterThan(200);
    expect(missing).toEqual([]);
  });

  it("are HTML that a strict reader takes, with one heading, landmarks, unique ids and labels", () => {
    const wrong = pages.flatMap(({ address, page: { elements, faults } }) => {
      const count = (tag: string): number => elements.filter((element) => element.tag === tag).length;
      const ids = elements.flatMap(({ attributes }) => attributes.get("id") ?? []);
      const labelled = new Set(elements.filter(({ tag }) => tag === "label").map(({ attributes }) => attributes.get("for")));
      const fields = elements.filter(({ tag }) => ["input", "select", "textarea"].includes(tag));
      return [
        ...faults,
        ...(["h1", "main", "header", "footer", "title"].some((tag) => count(tag) !== 1) ? ["landmarks"] : []),
        ...(new Set(ids).size === ids.length ? [] : ["an id twice"]),
        ...(fields.every(({ attributes }) => labelled.has(attributes.get("id"))) ? [] : ["a field without a label"]),
        ...(elements.find(({ tag }) => tag === "html")?.attributes.get("lang") === "en" ? [] : ["no language"]),
        ...(elements.some(({ tag, attributes }) => tag === "a" && attributes.get("href") === "#main") ? [] : ["no way to skip"]),
      ].map((fault) => `${address}: ${fault}`);
    });
    expect(wrong).toEqual([]);
  });

  it("stay under fifty kilobytes, whatever a server says of itself", () => {
    expect(pages.filter(({ body }) => Buffer.byteLength(body) > MAX_PAGE_BYTES).map(({ address, body }) => [address, body.length])).toEqual(
      [],
    );
  });

  it("hold no script but data, load nothing from elsewhere, and say so", () => {
    for (const { address, page, headers } of pages) {
      const scripts = page.elements.filter(({ tag }) => tag === "script");
      expect(
        scripts.every(({ attributes }) => attributes.get("type") === "application/ld+json"),
        address,
      ).toBe(true);
      for (const { text } of scripts) expect(JSON.parse(text), address).toHaveProperty("@context");
      expect(page.elements.filter(({ tag }) => ["img", "iframe", "object", "style", "base"].includes(tag))).toEqual([]);
      const attributes = page.elements.flatMap((element) => [...element.attributes]);
      expect(attributes.filter(([name]) => name.startsWith("on") || name === "style")).toEqual([]);
      expect(attributes.filter(([name, value]) => name === "href" && !/^(?:\/|#|https:\/\/catalogue\.example\/)/.test(value))).toEqual([]);
      expect(headers["content-security-policy"]).toContain("default-src 'none'");
      expect(headers["content-security-policy"]).not.toContain("script-src");
      expect(headers["x-content-type-options"]).toBe("nosniff");
    }
  });

  it("show what can't be seen by its number", () => {
    const named = pages.filter(({ page }) => page.elements.some(({ tag, text }) => tag === "h1" && text.includes("\\u{202E}")));
    expect(named.length).toBeGreaterThan(0);
    for (const { body } of pages) expect(/[\u202e\u200b]/.test(body)).toBe(false);
  });

  it("show policies that the language takes, and no tool has two", () => {
    let checked = 0;
    const entries = new Map<string, string>();
    for (const { address, page } of pages) {
      const policies = page.elements.filter(({ attributes }) => attributes.get("class") === "policy").map(({ text }) => text);
      for (const policy of policies) {
        const parsed = parsePolicy(policy, { format: "json" });
        expect(parsed.ok ? [] : parsed.failures, address).toEqual([]);
        checked++;
      }
    }
    for (const [address, body] of others) {
      if (!/\/policy\.json$|^\/catalog\/policies\//.test(address)) continue;
      const parsed = parsePolicy(body, { format: "json" });
      expect(parsed.ok ? [] : parsed.failures, address).toEqual([]);
      const { hide = [], tools } = JSON.parse(body) as { hide?: string[]; tools: Record<string, unknown> };
      const server = (address.split("/")[3] as string).replace(/\.json$/, "");
      for (const [name, rule] of [...Object.entries(tools), ...hide.map((name) => [name, "hidden"] as const)]) {
        const key = `${server} ${name}`;
        const known = entries.get(key);
        if (known === undefined) entries.set(key, JSON.stringify(rule));
        else expect(JSON.stringify(rule), key).toBe(known);
      }
      checked++;
    }
    expect(checked).toBeGreaterThan(300);
    expect(entries.size).toBeGreaterThan(100);
  });

  it("show the policy of a tool's page as its file and its JSON have it", async () => {
    const at = "/catalog/servers/sendit/connect_connector";
    const shown = find(at)
      .page.elements.find(({ tag, attributes }) => tag === "textarea" && attributes.get("id") === "copy")
      ?.text.trim();
    const { policy } = JSON.parse((await catalogue.ask(`${at}.json`)).body) as { policy: unknown };
    expect(JSON.parse(shown ?? "")).toEqual(policy);
    expect(JSON.parse((await catalogue.ask(`${at}/policy.json`)).body)).toEqual(policy);
  });

  it("tell of the seed's tool what it is known by", () => {
    const words = find("/catalog/servers/sendit/connect_connector").page.elements.find(({ tag }) => tag === "main")?.text ?? "";
    expect(words).toContain("Medium risk");
    expect(words).toContain("Handles credentials or secrets (apiKey)");
    expect(words).toContain("up to 30 times a minute for each grant");
    expect(words).toContain("See the full SendIt policy for all 5 tools");
    expect(words).toContain("view all 5 tools");
    for (const asked of ["What does", "How do I enforce", "What risk level", "Can I rate-limit", "How do I block", "Which MCP server"])
      expect(words).toContain(asked);
    const server = find("/catalog/servers/sendit").page.elements.find(({ tag }) => tag === "main")?.text ?? "";
    expect(server).toContain("5 tools, 4 can modify or destroy data with no limits");
  });

  it("keep two names apart that are alike as addresses", async () => {
    const { list } = JSON.parse((await catalogue.ask("/catalog/servers/scope-files.json")).body) as {
      list: { name: string; path: string }[];
    };
    expect(list.map(({ name }) => name)).toEqual(["write_file", "Write-File"]);
    expect(new Set(list.map(({ path }) => path)).size).toBe(2);
    const servers = JSON.parse((await catalogue.ask("/catalog/servers.json")).body) as { servers: { path: string }[] };
    expect(new Set(servers.servers.map(({ path }) => path)).size).toBe(4);
  });

  it("follow their sitemap to the last tool, and feed and sitemap are well-formed", async () => {
    const index = (await catalogue.ask("/catalog/sitemap.xml")).body;
    const parts = [...index.matchAll(/<loc>([^<]+)<\/loc>/g)].map(([, address = ""]) => address.slice(BASE_URL.length));
    const addresses: string[] = [];
    for (const part of parts) {
      const { status, body } = await catalogue.ask(part);
      expect(status).toBe(200);
      addresses.push(...[...body.matchAll(/<loc>([^<]+)<\/loc>/g)].map(([, address = ""]) => address.slice(BASE_URL.length)));
    }
    expect(addresses.filter((address) => address.split("/").length === 5)).toHaveLength(159);
    for (const address of addresses) expect((await catalogue.ask(address)).status, address).toBe(200);
    const feed = (await catalogue.ask("/catalog/feed.xml")).body;
    expect(feed.match(/<entry>/g)).toHaveLength(4);
    expect(feed).not.toContain("<script");
  });

  it("have colours that can be read in light and in dark", () => {
    const luminance = (colour: string): number => {
      const [red = 0, green = 0, blue = 0] = [1, 3, 5]
        .map((at) => Number.parseInt(colour.slice(at, at + 2), 16) / 255)
        .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const contrast = (left: string, right: string): number => {
      const [low = 0, high = 0] = [luminance(left), luminance(right)].sort((a, b) => a - b);
      return (high + 0.05) / (low + 0.05);
    };
    for (const { ink, soft, ground, panel, link } of Object.values(COLOURS))
      for (const text of [ink, soft, link])
        for (const behind of [ground, panel]) expect(contrast(text, behind)).toBeGreaterThanOrEqual(4.5);
    for (const badge of Object.values(BADGES)) expect(contrast(badge.ink, badge.ground)).toBeGreaterThanOrEqual(4.5);
  });
});
