/**
 * `ip_in`: an address inside one of the ranges. Addresses are read strictly (`kernel/ip.ts`): what more than one
 * reader could take for more than one address is unjudgeable.
 */

import { contains, type IpRange, parseCidr, parseIp } from "../../kernel/ip.ts";
import type { TextOperator } from "./text-operator.ts";

export function compileIpIn(entries: readonly string[]): { operator: TextOperator } | { wrong: Map<number, string> } {
  const wrong = new Map<number, string>();
  const ranges: IpRange[] = [];
  for (const [index, entry] of entries.entries()) {
    const range = parseCidr(entry);
    if (range === undefined) wrong.set(index, `\`${entry}\` is not an address or range, such as \`192.0.2.0/24\` or \`2001:db8::/32\`.`);
    else ranges.push(range);
  }
  if (wrong.size > 0) return { wrong };
  return {
    operator: {
      judge(text) {
        const ip = parseIp(text);
        return ip === undefined ? undefined : [ranges.some((range) => contains(range, ip))];
      },
    },
  };
}
