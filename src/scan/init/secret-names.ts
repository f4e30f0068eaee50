/**
 * Names for what must not be copied: each value of a client's configuration that is not plainly harmless becomes a
 * variable that somebody sets before the gateway starts. Keeps values only to give equal ones one name; never prints one.
 */
import { isPlainValue } from "../../config/plain-value.ts";
import { hasReference, toOwnReferences } from "../references.ts";
import { isPlainArgument } from "../show-server.ts";

export interface NamedSecret {
  readonly name: string;
  /** Where its value stands today. */
  readonly where: string;
}

const SECRET_NAME = /auth|bearer|cookie|credential|key|pass|pwd|secret|session|sig|token/i;
const SCHEME = /^(Bearer|Basic|Token|ApiKey|Key)[ \t]+(\S.*)$/is;

export class SecretNames {
  readonly #values = new Map<string, string | undefined>();
  readonly #told = new Map<string, NamedSecret>();

  get told(): readonly NamedSecret[] {
    return [...this.#told.values()];
  }

  /** A reference to a variable that holds this value; `wanted` is its name where it is free. */
  hide(value: string, wanted: string, prefix: string, where: string): string {
    const name = this.#choose(toVariable(wanted), toVariable(`${prefix}_${wanted}`), value);
    this.#told.set(name, { name, where });
    return `\${${name}}`;
  }

  /** A variable that the client's own text already refers to. */
  refer(name: string, where: string): void {
    if (!this.#values.has(name)) this.#values.set(name, undefined);
    if (!this.#told.has(name)) this.#told.set(name, { name, where });
  }

  #choose(wanted: string, longer: string, value: string): string {
    for (let count = 1; ; count++) {
      for (const name of count === 1 ? [wanted, longer] : [`${longer}_${count}`]) {
        if (this.#values.has(name) && this.#values.get(name) !== value) continue;
        this.#values.set(name, value);
        return name;
      }
    }
  }
}

function toVariable(text: string): string {
  const name = text
    .replace(/[^A-Za-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "")
    .toUpperCase();
  return (/^[A-Z_]/.test(name) ? name : `V_${name}`).slice(0, 100);
}

export interface HidingPlace {
  readonly names: SecretNames;
  /** The server's name, before names that say too little. */
  readonly prefix: string;
  readonly bare: boolean;
  /** `of \`github\` in ~/.cursor/mcp.json`. */
  readonly of: string;
}

/** A variable's or header's value as the gateway's configuration holds it. */
export function hideValue(name: string, value: string, place: HidingPlace): string {
  const { names, prefix, bare, of } = place;
  const where = `\`${name}\` ${of}`;
  if (hasReference(value, bare)) {
    const own = toOwnReferences(value, bare);
    const rest = own?.text.replace(/\$\{[^}]*\}/g, "").trim() ?? "";
    if (own && (isPlainValue(rest) || /^(?:Bearer|Basic|Token|ApiKey|Key)$/i.test(rest))) {
      for (const each of own.names) names.refer(each, where);
      return own.text;
    }
    return names.hide(value, name, prefix, where);
  }
  if (isPlainValue(value) && !SECRET_NAME.test(name)) return value;
  const scheme = SCHEME.exec(value);
  if (scheme)
    return `${scheme[1]} ${names.hide(scheme[2] as string, /^authorization$/i.test(name) ? `${prefix}_TOKEN` : name, prefix, where)}`;
  return names.hide(value, /^authorization$/i.test(name) ? `${prefix}_AUTHORIZATION` : name, prefix, where);
}

export function hideArguments(args: readonly string[], place: HidingPlace): string[] {
  const { names, prefix, bare, of } = place;
  return args.map((argument, index) => {
    const where = `argument ${index + 1} ${of}`;
    if (hasReference(argument, bare)) {
      const own = toOwnReferences(argument, bare);
      const rest = own?.text.replace(/\$\{[^}]*\}/g, "") ?? "";
      if (own && (rest === "" || isPlainArgument(rest.trim(), undefined))) {
        for (const each of own.names) names.refer(each, where);
        return own.text;
      }
    } else if (isPlainArgument(argument, args[index - 1])) return argument;
    const assigned = /^(--?[A-Za-z][\w-]*=)(.+)$/s.exec(argument);
    const wanted = `${prefix}_ARG_${index + 1}`;
    return assigned
      ? `${assigned[1]}${names.hide(assigned[2] as string, wanted, prefix, where)}`
      : names.hide(argument, wanted, prefix, where);
  });
}

export function hideCommand(command: string, place: HidingPlace): string {
  if (!hasReference(command, place.bare) && isPlainArgument(command, undefined)) return command;
  return hideValue(`${place.prefix}_COMMAND`, command, { ...place, of: `(the command) ${place.of}` });
}

/** An address keeps its host and plain path; values of its query are hidden, and all of it where the path may hold a key. */
export function hideAddress(address: string, shown: string, place: HidingPlace): string {
  const { names, prefix, bare, of } = place;
  const where = `the address ${of}`;
  if (hasReference(address, bare)) return hideValue("URL", address, { ...place, of: `(the address) ${of}` });
  const url = URL.parse(address);
  const [path = ""] = shown.split("?");
  if (url === null || path.includes("…") || url.username !== "" || url.password !== "" || url.hash !== "") {
    return names.hide(address, `${prefix}_URL`, prefix, where);
  }
  const pairs = [...url.searchParams].map(
    ([key, value]) => `${encodeURIComponent(key)}=${names.hide(encodeURIComponent(value), `${prefix}_${key}`, prefix, where)}`,
  );
  return `${url.origin}${url.pathname}${pairs.length === 0 ? "" : `?${pairs.join("&")}`}`;
}
