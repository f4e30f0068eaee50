/**
 * `email_domain_in`: whether the addresses of an RFC 5322 address or list have their domain in the list, one part for
 * each address, members of groups included. The list is cut at its own commas only; each piece has to be an address
 * as a whole. A domain literal is in no list; a domain that is none is unjudgeable.
 */

import { domainToASCII } from "node:url";
import emailAddresses from "email-addresses";
import { parseIp } from "../../kernel/ip.ts";
import { createDomainList } from "./domain-list.ts";
import { splitAddressList } from "./split-address-list.ts";
import { isPlainText, type TextOperator } from "./text-operator.ts";

const MAX_ADDRESSES_BYTES = 8192;
/** By far the most addresses: two dot-atoms of ASCII, for which no parser is needed. */
const PLAIN_ADDRESS = /^ *[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*) *$/;
/** The parser drops these from a domain; another reader would end the address there. */
const FOREIGN_BLANK = /[^\P{Z} ]|\ufeff/u;

export function compileEmailDomainIn(entries: readonly string[]): { operator: TextOperator } | { wrong: Map<number, string> } {
  const wrong = new Map<number, string>();
  const listed = createDomainList();
  for (const [index, entry] of entries.entries()) {
    const below = entry.startsWith("*.");
    const name = readDomain((below ? entry.slice(2) : entry).replace(/\.$/, ""));
    if (name === undefined || parseIp(name) !== undefined)
      wrong.set(index, `\`${entry}\` is not a domain, such as \`example.com\` or \`*.example.com\`.`);
    else listed.add({ name, below });
  }
  if (wrong.size > 0) return { wrong };
  return {
    operator: {
      judge(text) {
        const domains = readDomains(text);
        if (domains === undefined) return undefined;
        const parts: boolean[] = [];
        for (const domain of domains) {
          const name = domain.startsWith("[") ? null : readDomain(domain);
          if (name === undefined) return undefined;
          parts.push(name !== null && listed.has(name));
        }
        return parts;
      },
    },
  };
}

function readDomains(text: string): string[] | undefined {
  if (!isPlainText(text, MAX_ADDRESSES_BYTES, "no control characters")) return undefined;
  const pieces = splitAddressList(text);
  if (pieces === undefined) return undefined;
  const domains: string[] = [];
  for (const { text: input, isGroup } of pieces) {
    const plain = PLAIN_ADDRESS.exec(input)?.[1];
    if (plain !== undefined) {
      domains.push(plain);
      continue;
    }
    // The parser's obsolete lists take empty members, so a group has to do without obsolete forms.
    const address = emailAddresses.parseOneAddress({ input, rfc6532: true, startAt: "address", strict: isGroup });
    if (address === null) return undefined;
    const mailboxes = address.type === "group" ? address.addresses : [address];
    if (mailboxes.length === 0) return undefined;
    for (const mailbox of mailboxes) {
      if (FOREIGN_BLANK.test(mailbox.parts.address.tokens) || hidesSpecials(mailbox.local)) return undefined;
      domains.push(mailbox.domain);
    }
  }
  return domains;
}

/** The domain in A-form and lower case; undefined for what no mail could be sent to. */
function readDomain(domain: string): string | undefined {
  // An atom may hold `%`, `/` and others, which a host parser would read as something else.
  if (!/^[A-Za-z0-9._\-\u0080-\u{10ffff}]+$/u.test(domain)) return undefined;
  const name = domainToASCII(domain);
  return /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(name) ? name : undefined;
}

/** Whether a reader that folds compatibility forms would find a sign that cuts an address (`＠`, `，`). */
function hidesSpecials(local: string): boolean {
  const count = (text: string): number => text.match(/[@,:;<>()[\]"\\]/g)?.length ?? 0;
  const compatible = local.normalize("NFKC");
  return compatible !== local && count(compatible) !== count(local);
}
