/** See fileFaults.mjs. */
export function arm(fault: string, folder: string): readonly string[];
