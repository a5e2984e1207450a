// One L-conv layer by hand: shapes, a gradient, and what it costs in either contraction order.
import { device, gradients, nn, ops, randn, scope } from "../src/index.js";

scope(() => {
  const [B, m_in, d, m_out, n_L, d_h] = [8, 3, 64, 16, 4, 5];
  const source = new nn.WeightSource(device(), 0);
  const layer = new nn.LConv(source, { d, m_in, m_out, generators: { kind: "learned", n_L, d_h } });
  const h = randn([B, m_in, d], { seed: 1 });

  const y = layer.forward(h); // relu(sum_i L_i h W^i + b)
  console.log("h", h.shape, "-> y", y.shape);
  for (const [name, p] of layer.namedParameters()) console.log(`  ${name}`, p.shape);

  const loss = ops.mean(ops.mul(y, y));
  const grads = gradients(loss, layer.parameters());
  console.log("loss", loss.item(), "- gradients", grads.map((g) => g.shape.join("x")).join(", "));
  console.log("multiply-adds a sample:", ops.forwardCost({ n_L, d_h, d, m: m_in, m_out }));
  layer.dispose();
});
