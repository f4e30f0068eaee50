/** The formats that a policy's schema may assert, by name. Each takes exactly what its RFC does. */
import { isHostname, isIpv4, isIpv6, isMailbox } from "./format-address.ts";
import { isDate, isDateTime, isTime } from "./format-time.ts";
import { isUri } from "./format-uri.ts";

export interface Format {
  /** What the text has to be, with its article. */
  readonly noun: string;
  accepts(text: string): boolean;
}

/** RFC 9562 (4122): 32 hexadecimal digits in five groups, of any version and variant. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  ["date", { noun: "a date such as 2030-01-31", accepts: isDate }],
  ["date-time", { noun: "a date and time with its offset, such as 2030-01-31T08:30:00Z", accepts: isDateTime }],
  ["time", { noun: "a time with its offset, such as 08:30:00Z", accepts: isTime }],
  ["email", { noun: "one e-mail address", accepts: isMailbox }],
  ["hostname", { noun: "a host name", accepts: isHostname }],
  ["ipv4", { noun: "an IPv4 address", accepts: isIpv4 }],
  ["ipv6", { noun: "an IPv6 address", accepts: isIpv6 }],
  ["uri", { noun: "a URI with its scheme", accepts: isUri }],
  ["uuid", { noun: "a UUID", accepts: (text) => UUID.test(text) }],
]);
