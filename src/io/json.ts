/** V8 hashes texts above 16,383 characters by their length alone, so an object with many keys of that kind costs the square of their number. */
const LONGEST_KEY = 4096;
const DEEPEST = 4;

/** The first key above 4096 characters in `text`, which need not be valid JSON: for who has to parse what a stranger wrote. */
export function longKey(text: string): string | undefined {
  for (let start = text.indexOf('"'); start >= 0; ) {
    const end = stringEnd(text, start);
    if (end - start - 2 > LONGEST_KEY && isKey(text, end)) return text.slice(start + 1, end - 1);
    start = text.indexOf('"', end);
  }
  return undefined;
}

/**
 * JSON.parse for what a stranger wrote: arrays and objects nested more than 4 deep, which cost it 50 times the memory of their text, are refused
 * before. Throws SyntaxError.
 */
export function parseShallow(text: string): unknown {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x7b: // {
      case 0x5b: // [
        if (++depth > DEEPEST) throw new SyntaxError(`it is nested more than ${DEEPEST} deep`);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        depth--;
        break;
      case 0x22:
        i = stringEnd(text, i) - 1;
    }
  }
  return JSON.parse(text);
}

/** The first key that one object of the valid JSON `text` holds twice; JSON.parse keeps the last in silence. */
export function duplicateKey(text: string): string | undefined {
  const objects: (Keys | undefined)[] = []; // undefined stands for an array
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x7b: // {
        objects.push(new Keys());
        break;
      case 0x5b: // [
        objects.push(undefined);
        break;
      case 0x7d: // }
      case 0x5d: // ]
        objects.pop();
        break;
      case 0x22: {
        const end = stringEnd(text, i);
        const keys = objects.at(-1);
        if (keys && isKey(text, end)) {
          const key = keyOf(text, i, end);
          if (!keys.add(key)) return key;
        }
        i = end - 1;
      }
    }
  }
  return undefined;
}

const FEW = 8;

/** A set that is cheap while it is small, as most objects are. */
class Keys {
  readonly #few: string[] = [];
  #many: Set<string> | undefined;

  /** False when it was there already. */
  add(key: string): boolean {
    if (this.#many ? this.#many.has(key) : this.#few.includes(key)) return false;
    if (this.#many) this.#many.add(key);
    else if (this.#few.push(key) > FEW) this.#many = new Set(this.#few);
    return true;
  }
}

function keyOf(text: string, start: number, end: number): string {
  const key = text.slice(start + 1, end - 1);
  return key.includes("\\") ? (JSON.parse(text.slice(start, end)) as string) : key;
}

function stringEnd(text: string, start: number): number {
  let i = start + 1;
  for (let c = text.charCodeAt(i); c !== 0x22 && i < text.length; c = text.charCodeAt(i)) i += c === 0x5c ? 2 : 1;
  return i + 1;
}

function isKey(text: string, end: number): boolean {
  let i = end;
  while (text[i] === " " || text[i] === "\n" || text[i] === "\r" || text[i] === "\t") i++;
  return text[i] === ":";
}
