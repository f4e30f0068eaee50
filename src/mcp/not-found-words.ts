/** Words with which servers say that there is no such thing; the protocol fixes the code, not the text. */

const NOT_FOUND_WORDS = /not found|unknown|no such|does not exist|doesn't exist|not exist|invalid (?:prompt|resource)/i;

export function saysNotFound(words: string): boolean {
  return NOT_FOUND_WORDS.test(words);
}
