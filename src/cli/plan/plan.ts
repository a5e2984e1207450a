import { check } from "../../errors.js";
import type { Context } from "../terminal/context.js";
import type { Given } from "../terminal/flags.js";
import { caseFlags, planCases } from "./cases.js";
import { networkFlags, planOne } from "./network.js";

export const planFlags = { ...caseFlags, ...networkFlags } as const;

/** `lconv plan`: of one network where one of its flags is given, else of the cases of `lconv bench steps`. */
export async function plan(given: Given<typeof planFlags>, context: Context): Promise<void> {
  const first = Object.keys(networkFlags).find((key) => key in given);
  if (first === undefined) return planCases(given, context);
  const { cases } = given;
  check(cases === undefined, "ERR_LCONV_ARGUMENT", () => `--cases plans networks of fixed sizes and does not go with --${first}`);
  await planOne(given, context);
}
