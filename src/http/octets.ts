/** Which octets may stand where in an HTTP/1.1 message, by RFC 9110 and 9112. Tables, for loops over bytes. */

export const HTAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;

/** 1 for octets of a token: names of fields, methods, codings. */
export const TOKEN_OCTETS: Uint8Array = tableOf((octet) => /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(octet)));

/** 1 for octets that a field's value may hold, the blanks within it included. */
export const VALUE_OCTETS: Uint8Array = tableOf((octet) => octet === HTAB || (octet >= SP && octet !== 0x7f));

/** Letters of ASCII in lower case, every other octet as it is. */
export const LOWER_OCTETS: Uint8Array = Uint8Array.from({ length: 256 }, (_, octet) =>
  octet >= 0x41 && octet <= 0x5a ? octet | 0x20 : octet,
);

function tableOf(belongs: (octet: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, octet) => (belongs(octet) ? 1 : 0));
}
