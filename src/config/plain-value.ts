/**
 * Which texts say nothing that a credential would: what a variable or an argument holds is taken for a secret unless it
 * is plainly a number, words in one case, a path or an address without one. Never keeps or prints what it looks at.
 */
const PLAIN = /^(?:[\d.,:]*|[a-z]+(?:[-_., ][a-z]+)*|[A-Z]+(?:[-_., ][A-Z]+)*|(?:~|\.{0,2})\/[\w./ @+-]*|[A-Za-z]:[\\/][\w.\\/ @+-]*)$/;
const ADDRESS = /^[a-z][a-z0-9+.-]*:\/\//i;

export function isPlainValue(text: string): boolean {
  if (PLAIN.test(text)) return true;
  const url = ADDRESS.test(text) ? URL.parse(text) : null;
  return url !== null && url.username === "" && url.password === "" && url.search === "" && url.hash === "";
}
