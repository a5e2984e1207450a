/** Whether tests run in their long forms (`npm run soak -- --only tests`); `npm test` runs their short ones. */
export const long = process.env["LCONV_TEST_LONG"] === "1";

/** Of the short form every `step`th, of the long one all. */
export const some = <T>(all: readonly T[], step: number): T[] => all.filter((_, k) => long || k % step === 0);
