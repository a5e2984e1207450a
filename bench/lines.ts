// JSON lines that a benchmark appends to a file, and from which it resumes.
import { appendFileSync, existsSync, readFileSync } from "node:fs";

/** The lines of a file, none where it is not there. */
export const linesOf = <T>(path: string | undefined): T[] =>
  path !== undefined && existsSync(path)
    ? readFileSync(path, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line))
    : [];

/** Prints a line, and appends it to the file where there is one. */
export function reportTo(path: string | undefined, line: object): void {
  const text = JSON.stringify(line);
  console.log(text);
  if (path !== undefined) appendFileSync(path, `${text}\n`);
}
