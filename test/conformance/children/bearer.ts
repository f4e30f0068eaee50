/**
 * Loaded before the conformance suite, which has no option for a header: adds a bearer token to what it sends to one
 * origin, in each of the three ways in which it sends. Other origins, and Host and Origin headers, stay as they are.
 */
import http from "node:http";
import { createRequire, syncBuiltinESMExports } from "node:module";
import type { Dispatcher, Pool } from "undici";
import { SUITE } from "../suite.ts";

interface Undici {
  getGlobalDispatcher(): Pool;
  setGlobalDispatcher(dispatcher: Dispatcher): void;
}

const token = process.env["CONFORMANCE_TOKEN"];
const target = new URL(process.env["CONFORMANCE_ORIGIN"] ?? "http://127.0.0.1");
const isTarget = (hostname: string | null | undefined, port: unknown): boolean =>
  String(port) === target.port && ["127.0.0.1", "localhost"].includes(String(hostname));

if (token !== undefined) {
  const authorization = `Bearer ${token}`;
  // The built-in `fetch` asks the same global dispatcher as the package's own undici.
  const undici = createRequire(SUITE)("undici") as Undici;
  const withToken: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
    const origin = new URL(String(options.origin));
    return dispatch(
      isTarget(origin.hostname, origin.port) ? { ...options, headers: addTo(options.headers, authorization) } : options,
      handler,
    );
  };
  undici.setGlobalDispatcher(undici.getGlobalDispatcher().compose(withToken));

  const request = http.request;
  const patched = (first: string | URL | http.RequestOptions, ...rest: unknown[]): http.ClientRequest => {
    const isUrl = typeof first === "string" || first instanceof URL;
    const asked = isUrl ? new URL(first) : first;
    if (isTarget(asked.hostname ?? (asked as http.RequestOptions).host, asked.port)) {
      const options = (isUrl ? (typeof rest[0] === "object" ? rest[0] : rest.unshift({}) && rest[0]) : first) as http.RequestOptions;
      options.headers = { ...(options.headers as http.OutgoingHttpHeaders | undefined), authorization };
    }
    return (request as (...args: unknown[]) => http.ClientRequest)(first, ...rest);
  };
  http.request = patched as typeof http.request;
  syncBuiltinESMExports();
}

/** Headers come as a flat list, as pairs or as an object. */
function addTo(headers: Dispatcher.DispatchOptions["headers"], authorization: string): string[] {
  const flat: string[] = [];
  const add = (name: string, value: unknown): void => {
    for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) flat.push(name, String(one));
  };
  if (Array.isArray(headers) && !Array.isArray(headers[0])) flat.push(...(headers as string[]));
  else if (headers && Symbol.iterator in headers) for (const [name, value] of headers as Iterable<[string, unknown]>) add(name, value);
  else for (const [name, value] of Object.entries(headers ?? {})) add(name, value);
  return [...flat, "authorization", authorization];
}
