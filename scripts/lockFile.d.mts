/** Who holds a lock. */
export interface Holder {
  /** "process 12", "process 12 on elsewhere". */
  text: string;
  /** "unknown": it cannot be asked, or names nobody. */
  state: "ended" | "lives" | "unknown";
  /** Of a process on this host. */
  pid?: number;
}

export interface LockOptions {
  /** Take every lock but that of a process that is known to live. */
  steal?: boolean | undefined;
}

export type Lock = { release(): void; holder?: undefined } | { holder: Holder };

/** See lockFile.mjs. Throws the system's error, or one that says what to remove. */
export function tryLock(path: string, options?: LockOptions): Lock;

/** See lockFile.mjs. Throws the system's error. */
export function isHeld(path: string): boolean;
