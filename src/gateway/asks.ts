/**
 * What a server asks of the person or the model behind a client: samples of the model, forms and pages for the person, the
 * client's folders. Closed unless the server's entry opens it. What passes is labelled with the server's name as the
 * operator gave it; a form that asks for a secret and a page that is none of the web's never pass. Pure.
 */
import { createJsonObject, isJsonObject, type Json, type JsonObject, readMember } from "../kernel/json.ts";
import { revealText } from "../kernel/reveal-text.ts";

export const ASK_KINDS = ["sampling", "elicitation", "roots"] as const;
export type AskKind = (typeof ASK_KINDS)[number];

export function isAskKind(word: string): word is AskKind {
  return (ASK_KINDS as readonly string[]).includes(word);
}

export interface AskRules {
  readonly kinds: ReadonlySet<AskKind>;
  /** What the server is called towards people; undefined: its client knows it by itself. */
  readonly label: string | undefined;
}

/** Questions of one server that wait in one session, or stand in one round. */
export const MAX_OPEN_ASKS = 16;
/** A question that nobody has answered for so long waits no more. */
export const ASK_LIFE_MS: number = 15 * 60 * 1000;
export const SERVER_LABEL = "sallyport/server";

const KINDS: ReadonlyMap<string, AskKind> = new Map([
  ["sampling/createMessage", "sampling"],
  ["elicitation/create", "elicitation"],
  ["roots/list", "roots"],
]);

/** Undefined for what asks nobody anything, such as `ping`. */
export function findAskKind(method: string): AskKind | undefined {
  return KINDS.get(method);
}

/** Why a question does not pass: a fixed word for the record, and a sentence for the server. */
export type AskFault = "ask_closed" | "ask_unreadable" | "ask_secret" | "ask_address" | "ask_too_many" | "ask_nobody";

export const ASK_WORDS: Readonly<Record<AskFault, string>> = {
  ask_closed: "The gateway does not let this server ask for that.",
  ask_unreadable: "The gateway can't read what is asked.",
  ask_secret: "The gateway lets no form ask for a secret.",
  ask_address: "The gateway lets people be sent to addresses of the web alone.",
  ask_nobody: "No client is there that could be asked.",
  ask_too_many: "The gateway lets this server have no more open questions.",
};

export type JudgedAsk = { readonly params: JsonObject } | { readonly fault: AskFault };

/** The question as it may go on, labelled; or why it may not. */
export function judgeAsk(rules: AskRules, kind: AskKind, params: JsonObject | undefined): JudgedAsk {
  if (!rules.kinds.has(kind)) return { fault: "ask_closed" };
  const asked = params ?? createJsonObject();
  if (kind !== "elicitation") return { params: labelMeta(rules, asked) };
  const message = readMember(asked, "message");
  if (typeof message !== "string") return { fault: "ask_unreadable" };
  const mode = readMember(asked, "mode") ?? "form";
  if (mode === "form") {
    const fields = listFields(readMember(asked, "requestedSchema"));
    if (fields === undefined) return { fault: "ask_unreadable" };
    return fields.some(asksForSecret) ? { fault: "ask_secret" } : { params: label(rules, asked, message, "") };
  }
  if (mode !== "url") return { fault: "ask_unreadable" };
  const host = readHost(readMember(asked, "url"));
  return host === undefined ? { fault: "ask_address" } : { params: label(rules, asked, message, `, ${host}`) };
}

function label(rules: AskRules, params: JsonObject, message: string, more: string): JsonObject {
  if (rules.label === undefined) return params;
  return set(params, "message", `[server ${rules.label}${more}] ${message}`);
}

function labelMeta(rules: AskRules, params: JsonObject): JsonObject {
  if (rules.label === undefined) return params;
  const meta = readMember(params, "_meta");
  return set(params, "_meta", set(isJsonObject(meta) ? meta : createJsonObject(), SERVER_LABEL, rules.label));
}

function set(object: JsonObject, key: string, value: Json): JsonObject {
  const next = createJsonObject();
  for (const name of Object.keys(object)) next[name] = object[name] as Json;
  next[key] = value;
  return next;
}

/** The host of a web address without a user in it, as a person may read it. */
function readHost(value: Json | undefined): string | undefined {
  const url = typeof value === "string" ? URL.parse(value) : null;
  if (!url || (url.protocol !== "https:" && url.protocol !== "http:") || url.username !== "" || url.password !== "") return undefined;
  return url.host === "" ? undefined : revealText(url.host);
}

interface Field {
  readonly name: string;
  readonly schema: Json;
}

function listFields(schema: Json | undefined): readonly Field[] | undefined {
  if (!isJsonObject(schema)) return undefined;
  const properties = readMember(schema, "properties");
  if (properties === undefined) return [];
  return isJsonObject(properties) ? Object.keys(properties).map((name) => ({ name, schema: properties[name] as Json })) : undefined;
}

/** Words that name a secret, in names that were taken apart. */
const SECRET =
  /\b(?:password|passwd|pwd|passphrase|passcode|secret|credentials?|token|api ?key|(?:private|access|secret|signing|encryption|master|recovery|ssh) key|seed phrase|mnemonic|otp|one time code|totp|mfa code|2fa|pin(?: code)?|cvv|cvc|card number|iban)\b/;
/** In a sentence fewer words are telling: it may speak of a token and not ask for one. */
const SECRET_SENTENCE =
  /\b(?:password|passphrase|api[ -]?key|access token|secret key|private key|seed phrase|recovery phrase|one-time (?:code|password)|card number|security code)\b/;

function asksForSecret({ name, schema }: Field): boolean {
  if (SECRET.test(takeApart(name))) return true;
  if (!isJsonObject(schema)) return false;
  const text = (key: string): string => {
    const value = readMember(schema, key);
    return typeof value === "string" ? value : "";
  };
  return (
    text("format").toLowerCase() === "password" || SECRET.test(takeApart(text("title"))) || SECRET_SENTENCE.test(fold(text("description")))
  );
}

/** `userPassword`, `API_KEY` and `access-token` as words; look-alikes of other widths as the letters they stand for. */
function takeApart(name: string): string {
  return fold(name.replace(/([a-z\d])([A-Z])/g, "$1 $2"))
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();
}

function fold(text: string): string {
  return text
    .normalize("NFKC")
    .replace(/\p{Default_Ignorable_Code_Point}/gu, "")
    .toLowerCase();
}
