// A train step of one's own: traced once, then replayed natively, here for learning one generator from pairs (x, L x).
import { device, gradients, nn, ops, optim, randn, record, scope, tensor } from "../src/index.js";

const d = 16;
const shift = Float32Array.from({ length: d * d }, (_, k) => (k % d === Math.floor(k / d) + 1 ? 1 : 0)); // (L h)[mu] = h[mu + 1]
const x = randn([256, 1, d], { seed: 1 });
const y = ops.reshape(ops.matmul(ops.reshape(x, [256, d]), tensor(shift, { shape: [d, d] }), { transB: true }), [256, 1, d]);

const layer = new nn.LConv(new nn.WeightSource(device(), 0), {
  d,
  m_in: 1,
  m_out: 1,
  generators: { kind: "dense", n_L: 1 },
  activation: "linear",
  bias: false,
});
const optimizer = optim.adam(layer.parameters(), { lr: 0.02 });
const error = tensor([0]);

const step = record(() => {
  const loss = ops.mse(layer.forward(x), y);
  ops.stepWrite(error, optimizer.steps, loss);
  optimizer.step(gradients(loss, optimizer.parameters));
});

for (let round = 1; round <= 5; round++) {
  await step.run({ steps: 200 });
  console.log(`${round * 200} steps: mean squared error ${error.item().toExponential(2)}`);
}

scope(() => {
  const [L, W] = [layer.denseGenerators().dataSync(), layer.W.dataSync()]; // the map is W^0 I + W^1 L
  const learned = L.map((value, k) => W[1] * value + (k % d === Math.floor(k / d) ? W[0] : 0));
  const worst = Math.max(...learned.map((value, k) => Math.abs(value - shift[k])));
  console.log(`largest difference from the shift: ${worst.toFixed(3)}`);
});
