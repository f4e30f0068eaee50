/** OAuth2 connectors exist where they are configured, and a wrong configuration is said in words. */
import { expect, test } from "vitest";
import { isProviderUrl, readConnectors } from "../../../samples/sendit/connectors.ts";

const entry = { id: "files", name: "Files", issuer: "https://id.example", clientId: "c", scopes: ["read", "files:write"] };
const read = (...entries: unknown[]) => readConnectors(JSON.stringify(entries), false);

test("there are three kinds, the third only where it is configured", () => {
  expect(new Set(readConnectors(undefined, false).map(({ kind }) => kind))).toEqual(new Set(["api_key", "webhook"]));
  expect(readConnectors("", false)).toEqual(readConnectors(undefined, false));
  expect(read(entry).at(-1)).toMatchObject({ kind: "oauth2", id: "files", scopes: ["read", "files:write"], clientSecret: undefined });
  expect(readConnectors(JSON.stringify(entry), false).at(-1)).toMatchObject({ id: "files" });
});

test.each([
  ["not JSON", "{", /not JSON/],
  ["not a list", '"x"', /must be a list/],
  ["not an object", "[5]", /must be an object/],
  ["an unknown key", JSON.stringify([{ ...entry, secret: "hush" }]), /unknown key `secret`/],
  ["a bad id", JSON.stringify([{ ...entry, id: "A b" }]), /\.id must be/],
  ["no client", JSON.stringify([{ ...entry, clientId: undefined }]), /needs `name` and `clientId`/],
  ["no name", JSON.stringify([{ ...entry, name: "" }]), /\.name must be text/],
  ["bad scopes", JSON.stringify([{ ...entry, scopes: ["a b"] }]), /scopes/],
  ["plain http", JSON.stringify([{ ...entry, issuer: "http://id.example" }]), /issuer must be an https URL/],
  ["http on this machine, not switched on", JSON.stringify([{ ...entry, issuer: "http://127.0.0.1:1" }]), /https/],
  ["half of the endpoints", JSON.stringify([{ ...entry, tokenEndpoint: "https://id.example/t" }]), /authorizationEndpoint/],
  ["neither issuer nor endpoints", JSON.stringify([{ ...entry, issuer: undefined }]), /needs `issuer`/],
  ["an id twice", JSON.stringify([entry, entry]), /two connectors have one id/],
  ["a built-in id", JSON.stringify([{ ...entry, id: "notion" }]), /two connectors have one id/],
])("%s is refused", (_what, text, message) => {
  expect(() => readConnectors(text, false)).toThrow(message);
});

test("a provider is reached over https, or on this machine where that is switched on", () => {
  const tries = [
    "https://id.example/x?y",
    "http://localhost:1/",
    "http://[::1]:1/",
    "http://id.example",
    "https://u:p@id.example",
    "file:///x",
    "x",
  ];
  expect(tries.map((url) => isProviderUrl(url, true))).toEqual([true, true, true, false, false, false, false]);
  expect(tries.map((url) => isProviderUrl(url, false))).toEqual([true, false, false, false, false, false, false]);
});
