interface Sample {
  /** How much of the work was done, from 0 to 1. */
  share: number;
  megabytes: number;
}

/** Resident memory as a long piece of work goes on; run with --expose-gc, so that garbage does not count. */
export class Flatness {
  readonly #samples: Sample[] = [];

  /** Notes what is resident now; at most 200 times, however often it is asked. */
  sample(share: number): void {
    const last = this.#samples.at(-1)?.share ?? -1;
    if (share < 1 && share - last < 1 / 200) return;
    global.gc?.();
    this.note(share, process.memoryUsage.rss() / 1e6);
  }

  note(share: number, megabytes: number): void {
    this.#samples.push({ share, megabytes });
  }

  /** How far above its lowest after the first tenth it ends. What it takes and gives back in between, as a collector does late, is no growth. */
  get growth(): number {
    const later = this.#samples.filter(({ share }) => share >= 0.1).map(({ megabytes }) => megabytes);
    return later[later.length - 1] - Math.min(...later);
  }

  /** A line for each twentieth of the work. */
  table(): string {
    const rows = this.#samples.filter(({ share }, i, all) => i === 0 || Math.floor(20 * share) > Math.floor(20 * all[i - 1].share));
    return rows
      .map(({ share, megabytes }) => `${(100 * share).toFixed(0).padStart(5)} %  ${megabytes.toFixed(1).padStart(7)} MB`)
      .join("\n");
  }
}
