/**
 * An issuer of the test's own on loopback: keys that can be rotated, metadata, and tokens signed as a test says, hostile
 * ones included. What it answers can be replaced, to be slow, huge, elsewhere or gone.
 */
import { createHmac, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type CryptoKey, exportJWK, exportSPKI, FlattenedSign, generateKeyPair, type JWK, SignJWT } from "jose";

export type Claims = Readonly<Record<string, unknown>>;

export interface IssuerKey {
  readonly kid: string;
  readonly alg: string;
  readonly privateKey: CryptoKey;
  readonly jwk: JWK;
  readonly pem: string;
}

export interface TestIssuer {
  readonly issuer: string;
  /** What the key set holds, in order; the first signs. */
  keys: IssuerKey[];
  /** Paths that were asked for. */
  readonly asked: string[];
  /** Answers in place of the issuer; gives false where it does not. */
  instead: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;
  /** A token of an hour with these claims over the usual ones; `undefined` leaves one out. */
  sign(claims?: Claims, how?: { header?: Claims; key?: IssuerKey }): Promise<string>;
  /** Signed well, with a body that is not encoded (RFC 7797). */
  signUnencoded(claims: Claims): Promise<string>;
  close(): Promise<void>;
}

export async function makeKey(alg = "ES256"): Promise<IssuerKey> {
  const kid = randomUUID();
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" }, pem: await exportSPKI(publicKey) };
}

export async function startIssuer(audience: string): Promise<TestIssuer> {
  const server = createServer((request, response) => {
    self.asked.push(request.url ?? "");
    if (self.instead?.(request, response)) return;
    const documents: Record<string, unknown> = {
      "/.well-known/openid-configuration": { issuer: self.issuer, jwks_uri: `${self.issuer}/keys` },
      "/keys": { keys: self.keys.map(({ jwk }) => jwk) },
    };
    const document = documents[request.url ?? ""];
    response.writeHead(document === undefined ? 404 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(document ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const self: TestIssuer = {
    issuer: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    keys: [await makeKey()],
    asked: [],
    instead: undefined,
    sign: async (claims = {}, { header = {}, key = self.keys[0] as IssuerKey } = {}) => {
      const now = Math.floor(Date.now() / 1000);
      const usual = { iss: self.issuer, sub: "alice", aud: audience, iat: now, exp: now + 3600, jti: randomUUID() };
      const payload = Object.fromEntries(Object.entries({ ...usual, ...claims }).filter(([, value]) => value !== undefined));
      return await new SignJWT(payload)
        .setProtectedHeader({ alg: key.alg, kid: key.kid, typ: "at+jwt", ...header })
        .sign(key.privateKey, extensionsOf(header));
    },
    signUnencoded: async (claims) => {
      const [key] = self.keys as [IssuerKey];
      const text = encode({ iss: self.issuer, sub: "alice", aud: audience, exp: Math.floor(Date.now() / 1000) + 3600, ...claims });
      const header = { alg: key.alg, kid: key.kid, typ: "at+jwt", crit: ["b64"], b64: false };
      const signed = await new FlattenedSign(Buffer.from(text)).setProtectedHeader(header).sign(key.privateKey);
      return `${signed.protected}.${text}.${signed.signature}`;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return self;
}

/** Lets the signer sign extensions that nobody knows. */
function extensionsOf({ crit }: Claims): { crit?: Record<string, boolean> } {
  return Array.isArray(crit) ? { crit: Object.fromEntries(crit.map((name) => [name, true])) } : {};
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

/** A token put together by hand: header and claims as they stand, and any signature. */
export function forge(header: Claims, claims: Claims, signature: string | ((input: string) => string) = ""): string {
  const input = `${encode(header)}.${encode(claims)}`;
  return `${input}.${typeof signature === "string" ? signature : signature(input)}`;
}

export const signShared =
  (secret: string) =>
  (input: string): string =>
    createHmac("sha256", secret).update(input).digest("base64url");

/** The claims of a token, as they stand. */
export function claimsOf(token: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Record<string, unknown>;
}
