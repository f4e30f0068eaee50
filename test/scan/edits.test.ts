/** Edits of people's files: what they touch, what they leave alone, what they refuse, and the way back byte for byte. */
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { parse as parseJsonc } from "jsonc-parser";
import { parse as parseToml } from "smol-toml";
import { describe, expect, it } from "vitest";
import { type JsonObject, toJson } from "../../src/kernel/json.ts";
import { editJsonEntry } from "../../src/scan/init/edit-json.ts";
import { editTomlEntry } from "../../src/scan/init/edit-toml.ts";
import { BACKUP_END, openJournal } from "../../src/scan/init/journal.ts";
import { makeMachine } from "./machine.ts";

const ENTRY = toJson({ url: "http://127.0.0.1:8420/mcp/a", headers: { Authorization: "Bearer x" } }) as JsonObject;

describe("an entry of a JSON file", () => {
  it("is changed in its keys alone; comments, order, tabs and line ends stay", () => {
    const text =
      '\ufeff{\r\n\t// mine\r\n\t"mcpServers": {\r\n\t\t"a": {\r\n\t\t\t"command": "x", // why\r\n\t\t\t"args": ["y"],\r\n\t\t\t"autoApprove": ["z"],\r\n\t\t},\r\n\t\t"b": { "command": "b" }, /* and b */\r\n\t},\r\n}\r\n';
    const edited = editJsonEntry(text, ["mcpServers", "a"], ENTRY) as string;
    expect(edited.startsWith('\ufeff{\r\n\t// mine\r\n\t"mcpServers": {\r\n\t\t"a": {')).toBe(true);
    expect(edited).toContain('"b": { "command": "b" }, /* and b */\r\n\t},\r\n}\r\n');
    expect(edited).toContain('\t\t\t"autoApprove": ["z"],');
    expect(edited.replaceAll("\r\n", "")).not.toContain("\n");
    expect(parseJsonc(edited.slice(1), [], { allowTrailingComma: true })).toEqual({
      mcpServers: { a: { ...ENTRY, autoApprove: ["z"] }, b: { command: "b" } },
    });
  });

  it("stays on its line where it stood on one", () => {
    const edited = editJsonEntry('{"mcpServers":{"a":{"command":"x","disabledTools":["t"]}},"theme":1}', ["mcpServers", "a"], ENTRY);
    expect(edited).not.toContain("\n");
    expect(JSON.parse(edited as string)).toEqual({ mcpServers: { a: { disabledTools: ["t"], ...ENTRY } }, theme: 1 });
  });

  it("is refused where it is not there, or would not read as it was meant", () => {
    expect(editJsonEntry('{"mcpServers":{}}', ["mcpServers", "a"], ENTRY)).toBeUndefined();
    expect(editJsonEntry('{"mcpServers":', ["mcpServers", "a"], ENTRY)).toBeUndefined();
    expect(
      editJsonEntry('{"mcpServers":{"a":{"command":"x"}},"mcpServers":{"a":{"command":"y"}}}', ["mcpServers", "a"], ENTRY),
    ).toBeUndefined();
  });

  it("of any file: everything else is the same value", () => {
    const key = fc.string({ minLength: 1, maxLength: 8 }).filter((text) => text !== "__proto__");
    fc.assert(
      fc.property(
        fc.dictionary(key, fc.jsonValue({ maxDepth: 2 }), { noNullPrototype: true }),
        fc.dictionary(key, fc.constant({ command: "x", keep: 1 }), { minKeys: 1, noNullPrototype: true }),
        fc.boolean(),
        (rest, servers, wide) => {
          const text = JSON.stringify({ ...rest, mcpServers: servers }, null, wide ? 2 : 0);
          const name = Object.keys(servers)[0] as string;
          const edited = editJsonEntry(text, ["mcpServers", name], ENTRY);
          expect(JSON.parse(edited as string)).toEqual({ ...JSON.parse(text), mcpServers: { ...servers, [name]: { keep: 1, ...ENTRY } } });
        },
      ),
    );
  });
});

const TOML_ENTRY = toJson({ url: "http://127.0.0.1:8420/mcp/a", bearer_token_env_var: "TOKEN" }) as JsonObject;

describe("a table of a TOML file", () => {
  it("is changed in its keys alone", () => {
    const text = `# mine
model = "x"

[mcp_servers.a] # the a
command = "x"
args = [ # of many lines
  "[not.a.header]",
  "y",
]
startup_timeout_sec = 20 # slow
[mcp_servers.a.env]
K = "v"
[mcp_servers.a.tools.t]
approval = true

[mcp_servers.b]
command = "b"
when = 2026-01-01T00:00:00Z
`;
    const edited = editTomlEntry(text, ["mcp_servers", "a"], TOML_ENTRY) as string;
    expect(edited).toBe(`# mine
model = "x"

[mcp_servers.a] # the a
url = "http://127.0.0.1:8420/mcp/a"
bearer_token_env_var = "TOKEN"
startup_timeout_sec = 20 # slow
[mcp_servers.a.tools.t]
approval = true

[mcp_servers.b]
command = "b"
when = 2026-01-01T00:00:00Z
`);
    expect(() => parseToml(edited)).not.toThrow();
  });

  it.each([
    ["inline", 'mcp_servers = { a = { command = "x" } }\n'],
    ["dotted", '[mcp_servers]\na.command = "x"\n'],
    ["not there", '[mcp_servers.b]\ncommand = "x"\n'],
    ["broken", "[mcp_servers.a]\ncommand = \n"],
  ])("that is %s is refused", (_, text) => {
    expect(editTomlEntry(text, ["mcp_servers", "a"], TOML_ENTRY)).toBeUndefined();
  });

  it("with a quoted name, a table of its own for variables, and Windows' line ends", () => {
    const text = "[mcp_servers.'a b'.env]\r\nK = 'v'\r\n[mcp_servers.'a b']\r\ncommand = 'x'\r\n";
    const edited = editTomlEntry(text, ["mcp_servers", "a b"], TOML_ENTRY);
    // Variables before their server can't be taken away line by line from where it stands.
    expect(edited).toBeUndefined();
    const other = editTomlEntry("[mcp_servers.\"a b\"]\r\ncommand = 'x'\r\n", ["mcp_servers", "a b"], TOML_ENTRY);
    expect(other).toBe('[mcp_servers."a b"]\r\nurl = "http://127.0.0.1:8420/mcp/a"\r\nbearer_token_env_var = "TOKEN"\r\n');
  });
});

describe("the journal", () => {
  const setUp = () => {
    const machine = makeMachine();
    const journal = openJournal(path.join(machine.home, "data/init/journal.json"));
    const old = machine.put("old.json", "old \u00e9\r\n");
    const made = path.join(machine.home, "new/made.yaml");
    return { machine, journal, old, made };
  };

  it("puts every file back byte for byte, with its mode, and removes what was made", async () => {
    const { machine, journal, old, made } = setUp();
    chmodSync(old, 0o640);
    const bytes = readFileSync(old);
    const applied = await journal.apply(
      [
        { file: old, text: "new", before: "old \u00e9\r\n" },
        { file: made, text: "made", before: undefined },
      ],
      1,
    );
    expect(applied.ok).toBe(true);
    expect([readFileSync(old, "utf8"), readFileSync(made, "utf8"), statSync(old).mode & 0o777]).toEqual(["new", "made", 0o640]);
    expect(readFileSync(`${old}${BACKUP_END}`)).toEqual(bytes);
    // A second run on top of the first.
    expect((await journal.apply([{ file: old, text: "newer", before: "new" }], 2)).ok).toBe(true);
    expect((await journal.undo()).ok).toBe(true);
    expect(readFileSync(old)).toEqual(bytes);
    expect(statSync(old).mode & 0o777).toBe(0o640);
    for (const gone of [made, path.dirname(made), `${old}${BACKUP_END}`, `${old}${BACKUP_END}-2`]) expect(existsSync(gone)).toBe(false);
    expect(existsSync(machine.home)).toBe(true);
    expect(await journal.undo()).toMatchObject({ ok: false, failures: [{ code: "not_found" }] });
  });

  it("refuses to undo over a later change, names the file and touches none", async () => {
    const { journal, old, made } = setUp();
    await journal.apply(
      [
        { file: old, text: "new", before: "old \u00e9\r\n" },
        { file: made, text: "made", before: undefined },
      ],
      1,
    );
    writeFileSync(made, "mine now");
    const undone = await journal.undo();
    expect(undone).toMatchObject({ ok: false, failures: [{ code: "conflict", at: { file: made } }] });
    expect(readFileSync(old, "utf8")).toBe("new");
    writeFileSync(made, "made");
    writeFileSync(`${old}${BACKUP_END}`, "not what it was");
    expect(await journal.undo()).toMatchObject({ ok: false, failures: [{ code: "conflict", at: { file: `${old}${BACKUP_END}` } }] });
  });

  it("writes nothing where a file has changed since it was read", async () => {
    const { journal, old, made } = setUp();
    const applied = await journal.apply(
      [
        { file: made, text: "made", before: undefined },
        { file: old, text: "new", before: "something else" },
      ],
      1,
    );
    expect(applied).toMatchObject({ ok: false, failures: [{ code: "conflict", at: { file: old } }] });
    expect([existsSync(made), readFileSync(old, "utf8")]).toEqual([false, "old \u00e9\r\n"]);
    expect(await journal.undo()).toMatchObject({ ok: false });
  });

  it("undoes what was cut off in the middle", async () => {
    const { journal, old, made } = setUp();
    await journal.apply(
      [
        { file: old, text: "new", before: "old \u00e9\r\n" },
        { file: made, text: "made", before: undefined },
      ],
      1,
    );
    // As if it had ended before the first write.
    writeFileSync(old, "old \u00e9\r\n");
    expect(await journal.undo()).toMatchObject({ ok: true });
    expect([readFileSync(old, "utf8"), existsSync(made)]).toEqual(["old \u00e9\r\n", false]);
  });

  it("says which file can't be written, and undoes the others", async () => {
    const { machine, journal, old } = setUp();
    // A file where a folder would have to be.
    const blocked = path.join(machine.put("file", "x"), "made.yaml");
    const applied = await journal.apply(
      [
        { file: old, text: "new", before: "old \u00e9\r\n" },
        { file: blocked, text: "made", before: undefined },
      ],
      1,
    );
    expect(applied).toMatchObject({ ok: false, failures: [{ code: "conflict", at: { file: blocked } }] });
    expect((await journal.undo()).ok).toBe(true);
    expect(readFileSync(old, "utf8")).toBe("old \u00e9\r\n");
  });

  it("keeps a link a link", async () => {
    const { machine, journal, old } = setUp();
    mkdirSync(path.join(machine.home, "links"));
    const link = path.join(machine.home, "links/old.json");
    symlinkSync(old, link);
    await journal.apply([{ file: link, text: "new", before: "old \u00e9\r\n" }], 1);
    expect([readFileSync(old, "utf8"), readFileSync(link, "utf8")]).toEqual(["new", "new"]);
    expect((await journal.undo()).ok).toBe(true);
    expect(readFileSync(link, "utf8")).toBe("old \u00e9\r\n");
  });
});
