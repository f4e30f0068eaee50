/**
 * Verified claims → what they lead to: a grant of the file, or servers of a grant of one's own; and the servers that the
 * token may be shown to. Exact texts alone, no patterns: the first row that fits decides, and where it gives servers,
 * rows below it that fit and give servers add theirs. An address that the issuer has not verified is no e-mail.
 */
import { hash } from "node:crypto";
import type { JWTPayload } from "jose";
import type { LoginConfig, LoginRow } from "../config/config.ts";
import { checkEmail, checkPlainText } from "../config/text-checks.ts";
import type { VerifiedLogin } from "./read-login.ts";
import type { GrantTerms } from "./write-grant.ts";

/** Which servers a token is for, by its audience. */
export interface Admission {
  readonly everywhere: boolean;
  /** By name; a server that is not there by what stands in its address. */
  readonly servers: ReadonlySet<string>;
}

export type LoginMatch = { readonly kind: "named"; readonly label: string } | { readonly kind: "own"; readonly terms: GrantTerms };

/** Labels of the file can't hold a slash, so that no grant can be taken for another. */
export const LOGIN_LABEL_PREFIX = "login/";
const LABEL_DIGITS = 16;
const SERVER_PATH = /^\/mcp\/([A-Za-z0-9-]{1,64})$/;

/** What the grant of that person is called: the same as long as the issuer calls them the same. */
export function labelOf(issuer: string, subject: string): string {
  return LOGIN_LABEL_PREFIX + hash("sha256", JSON.stringify([issuer, subject]), "hex").slice(0, LABEL_DIGITS);
}

export interface Audience {
  readonly config: Pick<LoginConfig, "audience">;
  /** The gateway's public address, without a slash at its end. */
  readonly base: string;
  readonly nameOf: (server: string) => string | undefined;
}

/** Undefined: for no server of this gateway. */
export function readAdmission(audiences: readonly string[], { config: { audience }, base, nameOf }: Audience): Admission | undefined {
  const everywhere = audiences.some((each) => each === `${base}/mcp` || (audience !== undefined && each === audience));
  const paths = audiences.flatMap((each) => (each.startsWith(base) ? [each.slice(base.length)] : []));
  const named = paths.flatMap((path) => SERVER_PATH.exec(path)?.[1] ?? []);
  const servers = new Set(named.map((server) => nameOf(server) ?? server));
  return everywhere || servers.size > 0 ? { everywhere, servers } : undefined;
}

/** Undefined: the claims lead to nothing. */
export function matchLogin(login: VerifiedLogin, config: LoginConfig): LoginMatch | undefined {
  const claims = hidesEmail(login.claims, config.emails) ? { ...login.claims, email: undefined } : login.claims;
  const fitting = config.rows.filter((row) => fits(row, claims));
  const [first] = fitting;
  if (first === undefined) return undefined;
  if (first.grant !== undefined) return { kind: "named", label: first.grant };
  const identity = readText(claims, config.identity);
  if (identity === undefined) return undefined;
  const servers = new Map<string, string | undefined>();
  for (const row of fitting) for (const bond of row.servers) if (!servers.has(bond.server)) servers.set(bond.server, bond.policy);
  const email = readText(claims, "email");
  const terms: GrantTerms = {
    label: labelOf(config.issuer, login.subject),
    servers: [...servers].map(([server, policy]) => ({ server, policy })),
    identity,
    owner: email !== undefined && checkEmail(email) === undefined ? email : undefined,
    tags: readTags(claims, config.tags),
    expiresMs: undefined,
  };
  return { kind: "own", terms };
}

function hidesEmail(claims: JWTPayload, emails: LoginConfig["emails"]): boolean {
  const verified = claims["email_verified"];
  if (verified === true || verified === "true") return false;
  return emails === "verified" || verified !== undefined;
}

function fits(row: LoginRow, claims: JWTPayload): boolean {
  return Object.entries(row.claims).every(([name, wanted]) => {
    const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
    return value === wanted || (Array.isArray(value) && value.includes(wanted));
  });
}

/** A claim that is one plain text. */
function readText(claims: JWTPayload, name: string): string | undefined {
  const value = Object.hasOwn(claims, name) ? claims[name] : undefined;
  return typeof value === "string" && value.isWellFormed() && checkPlainText(value) === undefined ? value : undefined;
}

/** A claim that is not there, or is no plain text, gives no tag. */
function readTags(claims: JWTPayload, from: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const tags = Object.create(null) as Record<string, string>;
  for (const [tag, claim] of Object.entries(from)) {
    const value = readText(claims, claim);
    if (value !== undefined) tags[tag] = value;
  }
  return Object.freeze(tags);
}
