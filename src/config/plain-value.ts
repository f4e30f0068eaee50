/**
 * Which texts say nothing that a credential would: what a variable or an argument holds is taken for a secret unless it
 * is plainly a number, words in one case, a path or an address without one. Never keeps or prints what it looks at.
 */
const NUMBERS = /^[\d.,:]*$/;
/** With a short number among them, as in `us-east-1`. */
const WORDS = /^(?:[A-Z]?[a-z]+|[A-Z]+)(?:[-_., ](?:[A-Z]?[a-z]+|[A-Z]+|\d{1,4}))*$/;
const PATH = /^(?:(?:~|\.{0,2})\/|[A-Za-z]:[\\/])[\w.\\/ @+-]*$/;
const ADDRESS = /^[a-z][a-z0-9+.-]*:\/\//i;

export function isPlainValue(text: string): boolean {
  if (NUMBERS.test(text) || WORDS.test(text) || PATH.test(text)) return true;
  const url = ADDRESS.test(text) ? URL.parse(text) : null;
  return url !== null && url.username === "" && url.password === "" && url.search === "" && url.hash === "";
}
