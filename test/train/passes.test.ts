import { suite } from "uvu";
import * as assert from "uvu/assert";
import { device } from "../../src/engine/device.js";
import { type ModelName, makeModel } from "../../src/models/models.js";
import { sgd } from "../../src/optim/optimizer.js";
import { scope } from "../../src/tensor/scope.js";
import { full, tensor } from "../../src/tensor/tensor.js";
import { passesOf, runPasses } from "../../src/train/passes.js";
import { randn, relError } from "../support/reference.js";

const test = suite("train/passes");

const INPUT = { channels: 2, height: 6, width: 5, classes: 4 };

function parts(model: ModelName, samples: number, input = INPUT) {
  const net = makeModel(model, input, device(), { generators: 2, rank: 3, filters: 4 });
  const d = input.height * input.width;
  const x = tensor(Float32Array.from(randn([samples * input.channels * d], 1).data), { shape: [samples, input.channels, d] });
  const labels = tensor(Int32Array.from({ length: samples }, (_, i) => (i * i) % input.classes));
  return { model: net, optimizer: sgd(net.parameters()), data: { x, labels } };
}

for (const model of ["lconv", "cnn", "fc"] as const) {
  test(`${model}: a batch in three passes has the loss, correct answers and gradients of the batch at once`, () => {
    scope(() => {
      const given = parts(model, 23);
      const index = tensor(Int32Array.from({ length: 20 }, (_, i) => (7 * i) % 23));
      const more = () => full([1], 0.25);
      const once = runPasses(given, { index }, [20], 20, more());
      const thrice = runPasses(given, { index }, [7, 7, 6], 20, more());
      assert.ok(Math.abs(once.loss.item() - thrice.loss.item()) < 1e-6);
      assert.is(once.correct.item(), thrice.correct.item());
      once.grads.forEach((g, i) => {
        assert.ok(relError(thrice.grads[i].dataSync(), g.dataSync()) < 1e-5, `gradient ${i}`);
      });
    });
  });
}

test("a batch is cut where its activations outgrow the cache, into nearly equal passes", () => {
  scope(() => {
    const mnist = parts("lconv", 1, { channels: 1, height: 28, width: 28, classes: 10 });
    assert.equal(passesOf(32, mnist), [32]);
    const large = passesOf(2000, {
      ...mnist,
      model: makeModel("lconv", { channels: 1, height: 28, width: 28, classes: 10 }, device(), {}),
    });
    assert.is(
      large.reduce((sum, size) => sum + size, 0),
      2000,
    );
    if (device().asynchronous) return assert.equal(large, [2000]);
    assert.ok(large.length > 4 && Math.max(...large) - Math.min(...large) <= 1 && Math.min(...large) >= 16, `${large}`);
    assert.equal(passesOf(1000, parts("fc", 1)), [1000]);
  });
});

test.run();
