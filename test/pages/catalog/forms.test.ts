/** What people send to a catalogue: searches with facets, a call to be judged, a message. */
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CONTACT_FILE, MESSAGES_AN_HOUR, readMessages } from "../../../src/catalog/contact-box.ts";
import { HOSTILE, openTestCatalogue, type TestCatalogue } from "./fixture.ts";
import { readHtml } from "./read-html.ts";

let catalogue: TestCatalogue;
let nowMs = Date.parse("2026-11-22T12:00:00Z");
beforeAll(async () => {
  catalogue = await openTestCatalogue(() => nowMs);
});
afterAll(() => catalogue.close());

interface FoundJson {
  readonly matches: number;
  readonly tools: readonly { readonly name: string; readonly class: string; readonly risk: string }[];
  readonly servers: readonly { readonly name: string }[];
  readonly classes: Readonly<Record<string, number>>;
}

const search = async (query: string): Promise<FoundJson> =>
  JSON.parse((await catalogue.ask(`/catalog/search.json?${query}`)).body) as FoundJson;
const post = (address: string, form: Record<string, string>, source = "192.0.2.1") =>
  catalogue.ask(address, { method: "POST", form: new URLSearchParams(form).toString(), source });
const wordsOf = (body: string): string => readHtml(body).elements.find(({ tag }) => tag === "main")?.text ?? "";

describe("search", () => {
  it("finds by words of names, in any spelling of them, before words of descriptions", async () => {
    const found = await search("q=connect");
    expect(found.tools[0]?.name).toBe("connect_connector");
    expect((await search("q=Connectors")).tools.map(({ name }) => name)).toContain("list_connectors");
    expect((await search("q=sendit")).servers.map(({ name }) => name)).toEqual(["SendIt"]);
  });

  it("holds each facet, and counts them", async () => {
    const hidden = await search("class=destructive&q=connector");
    expect(hidden.tools.map(({ name }) => name)).toEqual(["delete_connector"]);
    const financial = await search("class=financial");
    expect(financial.matches).toBe(financial.classes["financial"]);
    expect(financial.tools.map(({ name }) => name)).toEqual(["send_payment"]);
    expect((await search("signal=handles_secrets")).tools.map(({ name }) => name)).toContain("connect_connector");
    expect((await search("class=everything&q=payee")).matches).toBe(1);
  });

  it.each(['"', "name:x OR", "NEAR(a b)", "*", "-", "a AND", "\u0000", "^x", `${HOSTILE}`, "x".repeat(5_000), "é́ ß İ"])(
    "takes %j as words",
    async (words) => {
      const { status, body } = await catalogue.ask(`/catalog/search?q=${encodeURIComponent(words)}`);
      expect(status).toBe(200);
      expect(readHtml(body).faults).toEqual([]);
    },
  );

  it("finds none by the words that facets are kept under", async () => {
    expect((await search("q=facetclass1")).matches).toBe(0);
  });
});

describe("a call to be judged", () => {
  const at = "/catalog/servers/sendit";
  const judge = async (tool: string, args: string): Promise<string> => wordsOf((await post(`${at}/${tool}/try`, { arguments: args })).body);

  it("is allowed, held or denied as the policy of the page says", async () => {
    expect(await judge("list_connectors", "{}")).toContain("Allowed, if its limits have room.");
    expect(await judge("send_payment", '{"amount":5,"payee":"x"}')).toContain("Denied.");
    expect(await judge("delete_connector", '{"connector":"x"}')).toContain("Denied.");
    expect(await judge("connect_connector", '{"connector":5}')).toContain("Denied.");
  });

  it("has to be an object, and stays text", async () => {
    for (const args of ["[]", "{", '{"a":1,"a":2}', HOSTILE]) {
      const { status, body } = await post(`${at}/list_connectors/try`, { arguments: args });
      expect(status).toBe(400);
      expect(readHtml(body).faults).toEqual([]);
    }
  });

  it("is asked for by POST alone, of a tool that is there", async () => {
    expect((await catalogue.ask(`${at}/list_connectors/try`)).status).toBe(404);
    expect((await post(`${at}/nothing/try`, {})).status).toBe(404);
    expect((await post(`${at}/list_connectors`, {})).status).toBe(404);
  });
});

describe("a message", () => {
  it("is stored for the owner alone, as it was written, and shown by no page", async () => {
    const { status, body } = await post("/catalog/contact", { name: "Ann", email: "ann@example.com", message: `${HOSTILE}\nsecond line` });
    expect(status).toBe(201);
    expect(body).not.toContain("Ann");
    const file = path.join(catalogue.folder, CONTACT_FILE);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readFileSync(file, "utf8").trim().split("\n")).toHaveLength(1);
    expect(readMessages(catalogue.folder)).toMatchObject([
      { name: "Ann", message: `${HOSTILE}\nsecond line`, time: "2026-11-22T12:00:00.000Z" },
    ]);
  });

  it("is refused where it is empty, too long, or one too many from one address within an hour", async () => {
    expect((await post("/catalog/contact", { message: "  " })).status).toBe(400);
    expect((await post("/catalog/contact", { message: "x".repeat(4_001) })).status).toBe(400);
    const statuses: number[] = [];
    for (let sent = 0; sent <= MESSAGES_AN_HOUR; sent++)
      statuses.push((await post("/catalog/contact", { message: "hello" }, "192.0.2.9")).status);
    expect(statuses).toEqual([...Array.from({ length: MESSAGES_AN_HOUR }, () => 201), 429]);
    expect((await post("/catalog/contact", { message: "hello" }, "192.0.2.10")).status).toBe(201);
    nowMs += 3_600_001;
    expect((await post("/catalog/contact", { message: "hello" }, "192.0.2.9")).status).toBe(201);
  });
});
