/**
 * The gateway's configuration with what a plan adds to it: a new file, or the one that is there, whose comments and order
 * stay. Credentials stand in it as references to the environment alone.
 */
import { Document, isMap, parseDocument } from "yaml";
import { fail, type Result, succeed } from "../../kernel/failure.ts";
import { isJsonObject, type Json, readMember, toJson } from "../../kernel/json.ts";
import type { InitPlan, TakenNames } from "./plan-init.ts";

const HEAD = " Servers of your clients, behind Sallyport. Variables are read from the environment when the gateway starts.";
/** Asked of whoever starts the gateway where a policy can ask a person. */
export const OWNER_VARIABLE = "SALLYPORT_OWNER";

export function readTakenNames(text: string | undefined, file: string): Result<TakenNames & { readonly listen: string | undefined }> {
  if (text === undefined) return succeed({ servers: new Set(), grants: new Set(), listen: undefined });
  const document = parseDocument(text);
  if (document.errors.length > 0 || !isMap(document.contents)) {
    return fail({
      code: "invalid_yaml",
      message: "The configuration that is there can't be read.",
      at: { file },
      hint: "Name another folder with `--dir`.",
    });
  }
  const value = toJson(document.toJS({ maxAliasCount: 100 }));
  const keys = (name: string): ReadonlySet<string> => {
    const member = isJsonObject(value) ? readMember(value, name) : undefined;
    return new Set(isJsonObject(member) ? Object.keys(member) : []);
  };
  return succeed({ servers: new Set([...keys("servers"), ...keys("policies")]), grants: keys("grants"), listen: readListen(value) });
}

function readListen(value: Json): string | undefined {
  const listen = isJsonObject(value) ? readMember(value, "listen") : undefined;
  if (!isJsonObject(listen)) return undefined;
  const [url, port, host] = [readMember(listen, "publicUrl"), readMember(listen, "port"), readMember(listen, "host")];
  if (typeof url === "string") return url.replace(/\/+$/, "");
  if (typeof port !== "number" || port === 0) return undefined;
  const name = typeof host === "string" && host !== "0.0.0.0" && host !== "::" ? host : "127.0.0.1";
  return `http://${name.includes(":") ? `[${name}]` : name}:${port}`;
}

/** Undefined: nothing is to be added. */
export function printConfig(plan: InitPlan, existing: string | undefined): string | undefined {
  const servers = plan.servers.filter(({ upstream }) => upstream !== undefined);
  if (servers.length === 0) return undefined;
  const document = existing === undefined ? new Document({}) : parseDocument(existing);
  if (existing === undefined) document.commentBefore = HEAD;
  const put = (path: readonly string[], value: unknown): void => document.setIn(path, document.createNode(value));
  for (const { name, upstream, network, policyFile } of servers) {
    put(["servers", name], { upstream, ...(network === undefined ? {} : { network }) });
    put(["policies", name], { server: name, file: `./${policyFile.replaceAll("\\", "/")}` });
  }
  const asking = new Set(
    servers.filter(({ policy }) => Object.values(policy.tools).some(({ action }) => action !== undefined)).map(({ name }) => name),
  );
  for (const { label, identity, token, servers: names } of plan.grants) {
    const owner = names.some((name) => asking.has(name)) ? { owner: `\${${OWNER_VARIABLE}}` } : {};
    put(["grants", label], { servers: Object.fromEntries(names.map((name) => [name, name])), identity, ...owner, token: `\${${token}}` });
  }
  return document.toString({ lineWidth: 0 });
}

/** Whether somebody has to be named who answers for the grants. */
export function needsOwner({ servers, grants }: InitPlan): boolean {
  const names = new Set(grants.flatMap((grant) => grant.servers));
  return servers.some(
    ({ name, upstream, policy }) =>
      upstream !== undefined && names.has(name) && Object.values(policy.tools).some(({ action }) => action !== undefined),
  );
}
