/**
 * Names and addresses of hosts and mailboxes: host names by RFC 1123 (with the A-labels of RFC 5891), IPv4 dotted by
 * RFC 2673, IPv6 by RFC 4291 without a zone, mailboxes by RFC 5321. ASCII alone.
 */
import { isIPv6 } from "node:net";
import { domainToUnicode } from "node:url";

const MAX_HOST_CHARACTERS = 253;
const MAX_LABEL_CHARACTERS = 63;
const MAX_LOCAL_CHARACTERS = 64;
const MAX_MAILBOX_CHARACTERS = 254;

const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/i;
/** Letters, digits and marks, and what RFC 5892 allows by context; no symbols, which browsers' rules would let pass. */
const IDNA_LABEL = /^(?!\p{M})[-\p{L}\p{Mn}\p{Mc}\p{Nd}\u00b7\u0375\u05f3\u05f4\u30fb\u200c\u200d]+$/u;
const OCTET = /^(?:0|[1-9]\d{0,2})$/;
const DOT_STRING = /^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i;
const QUOTED_STRING = /^"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"$/;

/** A label with hyphens in third and fourth place is reserved, unless it is a name's proper ASCII form. */
function isLabel(label: string): boolean {
  if (label.length > MAX_LABEL_CHARACTERS || !LABEL.test(label)) return false;
  if (label.slice(2, 4) !== "--") return true;
  const lower = label.toLowerCase();
  if (!lower.startsWith("xn--")) return false;
  const name = domainToUnicode(lower);
  return name !== "" && name !== lower && IDNA_LABEL.test(name);
}

export function isHostname(text: string): boolean {
  return text.length <= MAX_HOST_CHARACTERS && text.split(".").every(isLabel);
}

export function isIpv4(text: string): boolean {
  const parts = text.split(".", 5);
  return parts.length === 4 && parts.every((part) => OCTET.test(part) && Number(part) <= 255);
}

export function isIpv6(text: string): boolean {
  return isIPv6(text) && !text.includes("%");
}

function isMailDomain(domain: string): boolean {
  if (!domain.startsWith("[")) return isHostname(domain);
  if (!domain.endsWith("]")) return false;
  const literal = domain.slice(1, -1);
  return literal.slice(0, 5).toLowerCase() === "ipv6:" ? isIpv6(literal.slice(5)) : isIpv4(literal);
}

export function isMailbox(text: string): boolean {
  const at = text.lastIndexOf("@");
  if (at < 1 || at > MAX_LOCAL_CHARACTERS || text.length > MAX_MAILBOX_CHARACTERS) return false;
  const local = text.slice(0, at);
  return (DOT_STRING.test(local) || QUOTED_STRING.test(local)) && isMailDomain(text.slice(at + 1));
}
