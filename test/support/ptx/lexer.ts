// PTX as tokens, each with its line.

/** What is wrong with a PTX text, and where. */
export class PtxError extends Error {
  constructor(file: string, line: number, text: string) {
    super(`${file}:${line}: ${text}`);
    this.name = "PtxError";
  }
}

export interface Token {
  text: string;
  line: number;
}

/** The tokens of a file in turn; the errors of whoever reads them name file and line. */
export class Tokens {
  private at = 0;
  constructor(
    readonly file: string,
    private readonly list: readonly Token[],
  ) {}

  /** The text of the next token, "" at the end of the file. */
  get next(): string {
    return this.list[this.at]?.text ?? "";
  }
  get line(): number {
    return (this.list[this.at] ?? this.list.at(-1))?.line ?? 1;
  }
  take(): string {
    const { next } = this;
    if (next === "") this.fail("the file ends in the middle of something");
    this.at++;
    return next;
  }
  /** Whether the next token is `text`, which is then taken. */
  has(text: string): boolean {
    if (this.next !== text) return false;
    this.at++;
    return true;
  }
  expect(text: string): void {
    if (!this.has(text)) this.fail(`expected "${text}", found "${this.next}"`);
  }
  word(what: string): string {
    if (this.next !== "" && !/^[%$.\w]/.test(this.next)) this.fail(`expected ${what}, found "${this.next}"`);
    return this.take();
  }
  count(what: string): number {
    if (!/^\d+$/.test(this.next)) this.fail(`expected ${what}, found "${this.next}"`);
    return Number(this.take());
  }
  fail(text: string): never {
    throw new PtxError(this.file, this.line, text);
  }
}

/** Words keep their dots, as in `ld.global.v4.f32` and `%tid.x`; everything else is a token of one character. */
const token = /[%$.\w]+|"[^"\n]*"|[{}[\](),;:+\-@!|<>=]/y;
const skipped = /(?:\s|\/\/[^\n]*|\/\*[\s\S]*?\*\/)+/y;

export function tokens(file: string, text: string): Tokens {
  const list: Token[] = [];
  let line = 1;
  let at = 0;
  const match = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0] ?? "";
  };
  while (at < text.length) {
    const blank = match(skipped);
    line += blank.split("\n").length - 1;
    at += blank.length;
    if (at === text.length) break;
    const found = match(token);
    if (found === "") throw new PtxError(file, line, `unknown character "${text[at]}"`);
    list.push({ text: found, line });
    at += found.length;
  }
  return new Tokens(file, list);
}
