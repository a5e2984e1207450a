/** The program that starts ranks. */
export const mpirunName = (): string => process.env["LCONV_MPIRUN"] || "mpirun";
