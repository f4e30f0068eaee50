/**
 * The description of `login`: the issuer whose tokens are accepted beside the gateway's own, and which claims lead to
 * what. How its rows refer to servers, policies and grants is judged in `check-login.ts`.
 */
import type { ObjectShape, TextShape } from "./shape.ts";
import { checkCidr, checkIssuerUrl, checkKeysUrl, checkName, checkPlainText, checkScope, NAME_PATTERN } from "./text-checks.ts";

export const MAX_LOGIN_ROWS = 1000;
export const MAX_ROW_CLAIMS = 16;
const MAX_LIST = 1000;
const MAX_TAGS = 64;
const MAX_SCOPES = 16;

const name = (description: string): TextShape => ({ kind: "text", description, pattern: NAME_PATTERN, check: checkName });
const plain = (description: string): TextShape => ({ kind: "text", description, check: checkPlainText });

const row: ObjectShape = {
  kind: "object",
  description: "Whoever has these claims may use these servers, or holds this grant.",
  required: ["claims"],
  oneOf: { grant: [], server: ["policy"], servers: [] },
  keys: {
    claims: {
      kind: "map",
      description: "Claims that all have to be there: a text that is the same, or a list that holds it. No patterns.",
      names: plain("A claim at the top of the token."),
      values: plain("What it has to be, or to hold."),
      max: MAX_ROW_CLAIMS,
    },
    grant: name("A grant of this file that they hold."),
    server: name("The server that they may use."),
    policy: name("The policy that decides there; without one every call is denied."),
    servers: {
      kind: "map",
      description: "Several servers, each with the policy that decides there.",
      names: name("A server."),
      values: name("Its policy."),
      max: MAX_LIST,
    },
  },
};

export const LOGIN_SHAPE: ObjectShape = {
  kind: "object",
  description: "Clients that log in: access tokens (JWT) of one issuer are accepted beside the tokens of grants.",
  required: ["issuer", "grants"],
  keys: {
    issuer: { kind: "text", description: "The issuer, spelt as in its tokens' `iss`.", check: checkIssuerUrl },
    audience: plain("What a token may be for (`aud`) besides the gateway's own addresses."),
    scopes: {
      kind: "list",
      description: "Scopes that every token needs, all of them.",
      items: { kind: "text", description: "A scope.", check: checkScope },
      max: MAX_SCOPES,
    },
    jwksUri: { kind: "text", description: "Where the issuer's keys are; left out: found by its metadata.", check: checkKeysUrl },
    network: {
      kind: "object",
      description: "Which private or special addresses the issuer may have.",
      keys: {
        allow: {
          kind: "list",
          description: "Ranges of addresses that are otherwise refused.",
          items: { kind: "text", description: "An address or a range.", check: checkCidr },
          max: MAX_LIST,
        },
      },
    },
    identity: plain("The claim that says who somebody is, in policies, limits and the log; left out: `sub`."),
    emails: {
      kind: "text",
      description:
        "`verified` (left out): `email` counts beside `email_verified: true` alone. `issued`: also where the issuer says nothing of it.",
      choices: ["verified", "issued"],
    },
    tags: {
      kind: "map",
      description: "Tags of whoever logs in, each from the claim that it names.",
      names: plain("A tag."),
      values: plain("The claim that it is taken from."),
      max: MAX_TAGS,
    },
    grants: {
      kind: "list",
      description: "Which claims lead to what, read from the top: the first row that fits decides.",
      items: row,
      max: MAX_LOGIN_ROWS,
    },
  },
};
