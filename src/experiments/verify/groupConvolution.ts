import { Matrix } from "ml-matrix";
import type { Device } from "../../engine/device.js";
import { exp } from "../../lie/functions/exponential.js";
import type { Basis } from "../../lie/generators/basis.js";
import { combination } from "../../lie/generators/generator.js";
import { lconv } from "../../ops/lconv.js";
import { disposeGenerators, toTensors } from "../../symmetry/tensors.js";
import { scope } from "../../tensor/scope.js";
import { type Tensor, tensor } from "../../tensor/tensor.js";

/**
 * A convolution over a Lie group whose kernel sits on K elements: y = sum_k exp(-epsilon_k . L) h g_k (paper, eq. 3, with a linear f),
 * h [B, m_in, d] as B m_in rows of length d.
 */
export interface GroupConvolution {
  basis: Basis;
  /** Coordinates of the elements in the algebra, [K][n_L]. */
  epsilon: readonly (readonly number[])[];
  /** g_k [m_in, m_out], row-major. */
  g: readonly Float64Array[];
  m_in: number;
  m_out: number;
}

/** The convolution in float64 by the matrices exp(-epsilon_k . L); rows of h and of the result are (sample, channel). */
export function convolve({ basis, epsilon, g, m_in, m_out }: GroupConvolution, h: Matrix): Matrix {
  const B = h.rows / m_in;
  const y = Matrix.zeros(B * m_out, basis.d);
  epsilon.forEach((coordinates, k) => {
    const moved = h.mmul(exp(combination(basis.generators, coordinates), -1).transpose());
    for (let b = 0; b < B; b++)
      for (let a = 0; a < m_out; a++)
        for (let c = 0; c < m_in; c++)
          for (let mu = 0; mu < basis.d; mu++)
            y.set(b * m_out + a, mu, y.get(b * m_out + a, mu) + g[k][c * m_out + a] * moved.get(b * m_in + c, mu));
  });
  return y;
}

/** W^0 = sum_k g_k, W^i = -sum_k epsilon_k^i g_k (paper, eq. 5; the sign of eq. 4 is taken into W): [n_L + 1, m_in, m_out]. */
export function momentsOf({ basis, epsilon, g, m_in, m_out }: GroupConvolution): Float32Array {
  const size = m_in * m_out;
  const W = new Float64Array((basis.n_L + 1) * size);
  g.forEach((weights, k) => {
    weights.forEach((weight, at) => {
      W[at] += weight;
      for (let i = 0; i < basis.n_L; i++) W[(i + 1) * size + at] -= epsilon[k][i] * weight;
    });
  });
  return Float32Array.from(W);
}

/** h through linear L-conv layers with the given weights, one after the other. */
export function throughLayers(
  device: Device,
  basis: Basis,
  h: Matrix,
  m_in: number,
  layers: readonly { W: Float32Array; m: number }[],
): Float64Array {
  return scope(() => {
    const generators = toTensors(device, basis, false);
    const { d, n_L } = basis;
    let x: Tensor = tensor(Float32Array.from(h.to1DArray()), { shape: [h.rows / m_in, m_in, d], device });
    for (const { W, m } of layers) x = lconv(x, generators, tensor(W, { shape: [n_L + 1, x.shape[1], m], device }));
    const y = Float64Array.from(x.dataSync());
    disposeGenerators(generators);
    return y;
  });
}
