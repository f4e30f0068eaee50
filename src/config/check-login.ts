/**
 * How `login` and the rest of a configuration belong together: rows lead to grants, servers and policies that are there,
 * a grant without a token can be reached by a row, and where a person may be asked, somebody answers for the grant.
 */
import { isJsonList, isJsonObject, type Json, type JsonObject, readMember } from "../kernel/json.ts";
import { escapePointer } from "../kernel/strict-json.ts";
import { checkBonds, listBonds, memberObject, quoteName, textOf, type WrittenNames } from "./check-references.ts";
import type { ShapeContext } from "./check-shape.ts";

export interface LoginSurroundings {
  /** The document as written: what has errors of its own is there all the same. */
  readonly written: Json;
  readonly names: WrittenNames;
  /** Policies that can ask a person. */
  readonly asking: ReadonlySet<string>;
}

export function checkLogin(config: JsonObject, around: LoginSurroundings, context: ShapeContext): void {
  checkTokens(config, around.written, context);
  const login = memberObject(config, "login");
  const policies = memberObject(config, "policies");
  // Rows of the document as written, since a row that is left out would move the places of those after it.
  for (const [index, row] of listRows(around.written).entries()) {
    const pointer = `/login/grants/${index}`;
    if (!isJsonObject(row)) continue;
    const claims = readMember(row, "claims");
    if (isJsonObject(claims) && Object.keys(claims).length === 0) {
      context.report(`${pointer}/claims`, "A row needs one claim at least.", "To lead everybody of the issuer here, name its `iss`.");
    }
    const grant = textOf(row, "grant");
    if (grant !== undefined && !around.names.grants.has(grant)) {
      context.report(`${pointer}/grant`, `There is no grant ${quoteName(grant, `${pointer}/grant`, context)}.`);
    }
    checkBonds(row, pointer, policies, around.names, context);
    const asks = listBonds(row).find((bond) => bond.policy !== undefined && around.asking.has(bond.policy));
    if (asks !== undefined && textOf(login, "identity") !== "email") {
      const message = "The row's policy can ask a person, so the e-mail of whoever logs in must be known.";
      context.report(pointer + asks.policyPointer, message, "Set `login.identity` to `email`.");
    }
  }
}

/** A grant is reached by its token, or by whoever logs in and is led to it. */
function checkTokens(config: JsonObject, written: Json, context: ShapeContext): void {
  const led = new Set(listRows(written).map((row) => textOf(row, "grant")));
  const all = memberObject(written, "grants");
  for (const label of Object.keys(memberObject(config, "grants"))) {
    const grant = all[label];
    if (!isJsonObject(grant) || Object.hasOwn(grant, "token") || led.has(label)) continue;
    context.report(
      `/grants/${escapePointer(label)}/token`,
      "The key `token` is missing.",
      "Or lead whoever logs in here, by a row of `login`.",
    );
  }
}

function listRows(document: Json): readonly Json[] {
  const rows = readMember(memberObject(document, "login"), "grants");
  return isJsonList(rows) ? rows : [];
}
