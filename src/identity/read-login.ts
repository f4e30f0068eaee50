/**
 * One access token of the issuer, verified: signed by one of its keys with an asymmetric algorithm, of this issuer, not
 * lapsed, an access token and no other kind of JWT (RFC 9068), and free to be used by whoever bears it. What it is for
 * (`aud`) is given back as it stands, for the server that it is shown to.
 *
 * A token of type `at+jwt` says what it is. `JWT`, or no type, is what many issuers write still: it is taken where nothing
 * marks it as an ID token, a logout token or a refresh token, and the audience has to be this gateway all the same.
 */
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTHeaderParameters,
  type JWTPayload,
  jwtVerify,
  type ProtectedHeaderParameters,
} from "jose";
import { type IssuerKeys, KeysUnavailable } from "./issuer-keys.ts";

export const MAX_LOGIN_TOKEN_CHARACTERS = 16_384;
/** How far the issuer's clock may be from ours. */
export const LOGIN_LEEWAY_MS = 30_000;
export const MAX_SUBJECT_CHARACTERS = 255;
export const MAX_AUDIENCES = 64;

/** Never `none`, never a shared secret. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"];
const ACCESS_TYPES: ReadonlySet<string> = new Set(["at+jwt", "application/at+jwt"]);
const PLAIN_TYPES: ReadonlySet<string> = new Set(["jwt", "application/jwt", ""]);
/** Claims that only ID tokens and logout tokens have. */
const FOREIGN_CLAIMS = ["nonce", "at_hash", "c_hash", "s_hash", "events"];
/** Words of issuers that say the kind within the token. */
const FOREIGN_KINDS: ReadonlySet<unknown> = new Set(["id", "ID", "Refresh", "refresh", "Offline", "Logout"]);
const COMPACT = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** Why a token does not count; for the log alone. */
export type LoginFault = "malformed" | "forged" | "foreign" | "early" | "expired" | "mistyped" | "bound" | "unavailable";

export interface VerifiedLogin {
  readonly subject: string;
  readonly audiences: readonly string[];
  readonly scopes: ReadonlySet<string>;
  /** With the leeway. */
  readonly endsMs: number;
  readonly claims: JWTPayload;
}

/** Whether a bearer has the form of a JWT; tokens of grants that are made here never have. */
export function hasLoginForm(bearer: string): boolean {
  return COMPACT.test(bearer);
}

export async function readLogin(
  token: string,
  of: { readonly issuer: string; readonly keys: IssuerKeys },
  nowMs: number,
): Promise<VerifiedLogin | LoginFault> {
  if (token.length > MAX_LOGIN_TOKEN_CHARACTERS) return "malformed";
  try {
    // Looked at before it is verified, so that a stranger's token has no key fetched.
    const refused = judgeBefore(decodeProtectedHeader(token), decodeJwt(token), of.issuer);
    if (refused) return refused;
    const { payload, protectedHeader } = await jwtVerify(token, (header: JWTHeaderParameters) => of.keys.find(header, nowMs), {
      algorithms: ALGORITHMS,
      issuer: of.issuer,
      requiredClaims: ["exp", "sub", "aud"],
      clockTolerance: LOGIN_LEEWAY_MS / 1000,
      currentDate: new Date(nowMs),
    });
    return judgeAfter(protectedHeader, payload);
  } catch (error) {
    return nameFault(error);
  }
}

function judgeBefore(header: ProtectedHeaderParameters, claims: JWTPayload, issuer: string): LoginFault | undefined {
  if (typeof header.alg !== "string" || !ALGORITHMS.includes(header.alg)) return "forged";
  return claims.iss === issuer ? undefined : "foreign";
}

function judgeAfter(header: ProtectedHeaderParameters, claims: JWTPayload): VerifiedLogin | LoginFault {
  const type = (header.typ ?? "").toLowerCase();
  const marked = FOREIGN_CLAIMS.some((name) => Object.hasOwn(claims, name)) || FOREIGN_KINDS.has(claims["typ"]);
  const isAccess = ACCESS_TYPES.has(type) || (PLAIN_TYPES.has(type) && !marked && !FOREIGN_KINDS.has(claims["token_use"]));
  if (!isAccess) return "mistyped";
  // Bound to a key that the client has to prove, which is not asked here: whoever only bears it may have stolen it.
  if (Object.hasOwn(claims, "cnf")) return "bound";
  const { sub, aud, exp } = claims;
  const audiences = typeof aud === "string" ? [aud] : aud;
  if (typeof sub !== "string" || sub === "" || sub.length > MAX_SUBJECT_CHARACTERS || !sub.isWellFormed()) return "malformed";
  if (typeof exp !== "number" || !Array.isArray(audiences) || audiences.length > MAX_AUDIENCES) return "malformed";
  return {
    subject: sub,
    audiences: audiences.filter((each) => typeof each === "string"),
    scopes: readScopes(claims),
    endsMs: exp * 1000 + LOGIN_LEEWAY_MS,
    claims,
  };
}

/** `scope` as in RFC 9068, `scp` as some issuers spell it: a text of words, or a list. */
function readScopes(claims: JWTPayload): ReadonlySet<string> {
  const said = claims["scope"] ?? claims["scp"];
  if (typeof said === "string") return new Set(said.split(" "));
  return new Set(Array.isArray(said) ? said.filter((each) => typeof each === "string") : []);
}

function nameFault(error: unknown): LoginFault {
  if (error instanceof KeysUnavailable) return "unavailable";
  if (error instanceof errors.JWTExpired) return "expired";
  if (error instanceof errors.JWTClaimValidationFailed && error.reason === "check_failed" && error.claim === "nbf") return "early";
  const forged = [
    errors.JWSSignatureVerificationFailed,
    errors.JOSEAlgNotAllowed,
    errors.JWKSNoMatchingKey,
    errors.JWKSMultipleMatchingKeys,
  ];
  return forged.some((kind) => error instanceof kind) ? "forged" : "malformed";
}
