/** Links go by signals, both ways alike; claims go by what a run of the cases shows. */
import path from "node:path";
import { describe, expect, it } from "vitest";
import { browseAttacks } from "../../../src/catalog/attacks/browse-attacks.ts";
import { deriveClaim, weighCases } from "../../../src/catalog/attacks/claim.ts";
import { linkTool, linkTools, listTouchedTools } from "../../../src/catalog/attacks/link-attacks.ts";
import { loadAttacks } from "../../../src/catalog/attacks/load-attacks.ts";
import { classifyTool } from "../../../src/catalog/classify.ts";
import { define, TEXT } from "../definition.ts";

const loaded = await loadAttacks(path.resolve(import.meta.dirname, "../../../attacks"));
if (!loaded.ok) throw new Error(JSON.stringify(loaded.failures));
const attacks = loaded.value;

const tool = (name: string, description?: string, properties?: Record<string, object>) => ({
  name,
  verdict: classifyTool(define(name, description, properties as never)),
});
const READ = tool("get_customer", "Gets a customer.");
const FETCH = tool("fetch_page", "Fetches a page.", { url: TEXT });
const SEND = tool("send_email", "Sends an e-mail.", { to: TEXT, body: TEXT });
const SQL = tool("query", "Runs a SQL query.", { sql: TEXT });
const NOTE = tool("update_note", "Updates a note.", { text: TEXT });
const TOOLS = [READ, FETCH, SEND, SQL, NOTE];
const idsOf = (links: readonly { readonly attack: { readonly id: string } }[]): string[] => links.map(({ attack }) => attack.id);

describe("a tool", () => {
  it("shows the attacks that its signals make possible, by those signals and their arguments", () => {
    const links = linkTool(FETCH.verdict, attacks);
    expect(idsOf(links)).toEqual(expect.arrayContaining(["ssrf", "exfiltration-by-url", "prompt-injection"]));
    expect(links.find(({ attack }) => attack.id === "ssrf")?.by).toMatchObject([{ name: "arbitrary_url", arguments: ["url"] }]);
    expect(idsOf(linkTool(SQL.verdict, attacks))).toContain("sql-through-a-query-tool");
    expect(idsOf(linkTool(SEND.verdict, attacks))).toContain("recipient-injection");
    expect(idsOf(linkTool(SEND.verdict, attacks))).not.toContain("ssrf");
  });

  it("without a signal shows none, whatever its class", () => {
    for (const plain of [READ, NOTE]) {
      expect(plain.verdict.signals).toEqual([]);
      expect(linkTool(plain.verdict, attacks)).toEqual([]);
    }
  });

  it("shows the one with most in common first, then the worst", () => {
    const links = linkTool(SEND.verdict, attacks);
    const shared = links.map(({ by }) => by.length);
    expect(shared).toEqual(shared.toSorted((a, b) => b - a));
    expect(links.length).toBeGreaterThan(1);
  });

  it("is shown by an attack exactly when it shows that attack", () => {
    let shown = 0;
    for (const attack of attacks) {
      const there = listTouchedTools(attack, TOOLS);
      const back = TOOLS.filter(({ verdict }) => idsOf(linkTool(verdict, attacks)).includes(attack.id));
      expect(there, attack.id).toEqual(back);
      shown += there.length;
    }
    expect(shown).toBeGreaterThan(10);
  });
});

describe("a server", () => {
  it("shows what its tools make possible together, and no one of them alone", () => {
    const together = linkTools([READ, SEND], attacks).find(({ attack }) => attack.id === "private-read-then-send");
    expect(together?.tools).toEqual([["get_customer"], ["send_email"]]);
    expect(idsOf(linkTools([READ], attacks))).not.toContain("private-read-then-send");
    expect(idsOf(linkTools([SEND], attacks))).not.toContain("private-read-then-send");
  });

  it("shows what single tools make possible, and none of what is everywhere", () => {
    const ids = idsOf(linkTools(TOOLS, attacks));
    expect(ids).toEqual(expect.arrayContaining(["ssrf", "sql-through-a-query-tool"]));
    expect(attacks.filter(({ touches }) => touches.everywhere && ids.includes(touches.everywhere.toString()))).toEqual([]);
    expect(ids).not.toContain("rug-pull");
  });
});

describe("browsing", () => {
  it("goes by each property alone and by several, the worst first", () => {
    expect(browseAttacks(attacks)).toHaveLength(attacks.length);
    expect(browseAttacks(attacks)[0]?.severity).toBe("critical");
    expect(idsOf(browseAttacks(attacks, { owasp: "MCP08" }).map((attack) => ({ attack })))).toEqual(["secret-leak", "log-forgery"]);
    const found = browseAttacks(attacks, {
      kind: "argument",
      severity: "high",
      signal: "filesystem_path",
      class: "read",
      stopped: "partly",
    });
    expect(found.map(({ id }) => id)).toEqual(["argument-injection", "path-traversal"]);
    expect(browseAttacks(attacks, { class: "read" }).some(({ id }) => id === "rug-pull")).toBe(false);
    expect(browseAttacks(attacks, { class: "financial" }).some(({ id }) => id === "payment-redirection")).toBe(true);
  });
});

describe("a claim", () => {
  const ran = (name: string, decision: string, ok = true) => ({ name, ok, actual: { decision } });
  const CASES = [ran("attack: a", "deny"), ran("attack: b", "approve"), ran("normal: c", "allow")];
  const POLICY = [{ by: "policy", file: "f" }];

  it("counts what was denied, held, let by and let through", () => {
    expect(weighCases([...CASES, ran("not stopped: d", "allow")])).toEqual({ denied: 1, held: 1, open: 1, normal: 1, wrong: [] });
  });

  it("holds none of a case that came out otherwise, says nothing of itself, or says it wrongly", () => {
    const wrong = [
      ran("attack: a", "deny", false),
      ran("b", "deny"),
      ran("attack: c", "allow"),
      ran("normal: d", "deny"),
      ran("not stopped: e", "deny"),
    ];
    expect(weighCases(wrong).wrong).toEqual(["attack: a", "b", "attack: c", "normal: d", "not stopped: e"]);
    for (const one of wrong) expect(deriveClaim({ proofs: POLICY, not_stopped: ["x"] }, [...CASES, one])).toBeUndefined();
  });

  it("is yes, partly or no by proofs and what is left open", () => {
    expect(deriveClaim({ proofs: POLICY, not_stopped: [] }, CASES)).toBe("yes");
    expect(deriveClaim({ proofs: POLICY, not_stopped: ["x"] }, CASES)).toBe("partly");
    expect(deriveClaim({ proofs: [], not_stopped: ["x"] }, undefined)).toBe("no");
    expect(deriveClaim({ proofs: [{ by: "pins", file: "t", name: "n" }], not_stopped: [] }, undefined)).toBe("yes");
  });

  it("is none where a policy stops nothing, lets nothing ordinary through, was not run, or leaves open what it does not say", () => {
    expect(deriveClaim({ proofs: POLICY, not_stopped: [] }, CASES.slice(2))).toBeUndefined();
    expect(deriveClaim({ proofs: POLICY, not_stopped: [] }, CASES.slice(0, 2))).toBeUndefined();
    expect(deriveClaim({ proofs: POLICY, not_stopped: [] }, undefined)).toBeUndefined();
    expect(deriveClaim({ proofs: [], not_stopped: [] }, CASES)).toBeUndefined();
    expect(deriveClaim({ proofs: POLICY, not_stopped: [] }, [...CASES, ran("not stopped: d", "allow")])).toBeUndefined();
  });
});
