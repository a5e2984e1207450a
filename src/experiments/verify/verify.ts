import { breathe } from "../../engine/breathe.js";
import { prop1 } from "./prop1.js";
import { type Prop2Options, prop2 } from "./prop2.js";
import { prop3 } from "./prop3.js";
import { prop4 } from "./prop4.js";
import { prop5 } from "./prop5.js";
import { regression } from "./regression.js";
import { scrambling } from "./scrambling.js";
import { theorem1 } from "./theorem1.js";
import type { Setting, Verdict, VerificationName } from "./verdict.js";

const verifications: Record<VerificationName, (setting: Setting, options: Prop2Options) => Verdict | Promise<Verdict>> = {
  prop1,
  prop2,
  prop3,
  prop4,
  prop5,
  theorem1,
  regression,
  scrambling,
};

/** Puts statements of the paper to the test, each by a small experiment of its own. `options` are those of prop2. */
export async function* verify(names: readonly VerificationName[], setting: Setting, options: Prop2Options = {}): AsyncGenerator<Verdict> {
  for (const name of names) {
    await breathe(setting.signal);
    yield await verifications[name](setting, options);
  }
}
