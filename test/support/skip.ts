/** Marks the running test as skipped, with the reason; the runner counts such a line. Use: `if (!have) return skip("no MNIST here")`. */
export function skip(reason: string): void {
  process.stdout.write(`\nlconv-skip: ${reason.replaceAll("\n", " ")}\n`);
}
