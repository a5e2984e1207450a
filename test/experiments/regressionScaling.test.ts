import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { regressionScaling, type ScalingRow } from "../../src/experiments/regression/scaling.js";
import { rejectsCode } from "../support/throws.js";

const test = suite("experiments/regressionScaling");

test("the scaling of the authors' control loses R in float32; centring, or float64, brings it back", async () => {
  const rows = await regressionScaling({ samples: 2000, device: device("cpu") });
  assert.is(rows.length, 8);
  const row = (scaling: ScalingRow["scaling"], centered: boolean, products: ScalingRow["products"]): ScalingRow =>
    rows.find((each) => each.scaling === scaling && each.centered === centered && each.products === products) as ScalingRow;
  const control = "(X - 127.5) / 255";
  assert.ok(row(control, false, "float32").error > 0.02);
  assert.ok(row(control, false, "float32").condition > 1e6, "-0.5 +- 0.002 is nearly of rank one");
  assert.ok(row(control, true, "float32").error < 1e-5);
  assert.ok(row(control, true, "float32").condition < 3);
  assert.ok(row(control, false, "float64").error < 1e-5);
  for (const centered of [false, true]) {
    assert.ok(row("none", centered, "float32").error < 1e-5);
    assert.ok(row("none", centered, "float64").error < 1e-7);
    assert.ok(row("none", centered, "float64").condition < 3);
  }
});

test("misuse", async () => {
  await rejectsCode(regressionScaling({ sides: 7 } as object), "ERR_LCONV_OPTION", 'did you mean "side"');
  await rejectsCode(regressionScaling({ side: 1 }), "ERR_LCONV_ARGUMENT", "side");
  await rejectsCode(regressionScaling({ side: 7, samples: 60 }), "ERR_LCONV_ARGUMENT", "samples");
});

test.run();
