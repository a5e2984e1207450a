/** The processors this process may run on, limited by the CPU quota of its container; at least 1. */
export function usableProcessors(quotaFile?: string): number;
