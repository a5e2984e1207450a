import { check } from "../../errors.js";
import { quote } from "../../io/files.js";

/** A word of a command line for sh. */
export const shellWord = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** Blanks part the words, but not within quotes of either kind. */
const words = /(?:[^\s'"]|'[^']*'|"[^"]*")+/g;
const quoted = /'([^']*)'|"([^"]*)"/g;

/** The words of `text` as sh parts them. No shell sees them, so nothing in them is expanded. Throws ERR_LCONV_ARGUMENT for a quote without its end. */
export function splitWords(text: string, where: string): string[] {
  const rest = text.replaceAll(words, "").trim();
  check(rest === "", "ERR_LCONV_ARGUMENT", () => `${where}: expected every quote to be closed, got ${quote(text)}`);
  return (text.match(words) ?? []).map((word) => word.replaceAll(quoted, "$1$2"));
}
