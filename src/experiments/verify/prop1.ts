import { Matrix } from "ml-matrix";
import { Philox, streams } from "../../engine/random.js";
import { so } from "../../lie/generators/groups.js";
import { convolve, type GroupConvolution, momentsOf, throughLayers } from "./groupConvolution.js";
import { atMost, logSlope, near, relativeError, type Setting, type Verdict, verdict } from "./verdict.js";

const ETAS = [0.4, 0.2, 0.1, 0.05, 0.025];
const ELEMENTS = 20;

/**
 * A group convolution whose kernel sits within eta of the identity of SO(4), against the one L-conv layer with its moments as weights:
 * what eq. 4 leaves out is of second order, so the error falls with the square of eta.
 */
export function prop1({ device }: Setting): Verdict {
  const random = new Philox(1, streams.user);
  const [basis, B, m_in, m_out] = [so(4), 8, 2, 3];
  const h = Matrix.from1DArray(B * m_in, basis.d, random.normal(B * m_in * basis.d));
  const directions = Array.from({ length: ELEMENTS }, () => Array.from(random.normal(basis.n_L)));
  const g = directions.map(() => random.normal(m_in * m_out));
  const points = ETAS.map((eta): [number, number] => {
    const epsilon = directions.map((v) => v.map((x) => (eta * x) / Math.hypot(...v)));
    const convolution: GroupConvolution = { basis, epsilon, g, m_in, m_out };
    const layer = throughLayers(device, basis, h, m_in, [{ W: momentsOf(convolution), m: m_out }]);
    return [eta, relativeError(layer, convolve(convolution, h).to1DArray())];
  });
  return verdict(
    "prop1",
    "A group convolution with support within eta of the identity is an L-conv layer up to terms of order eta^2.",
    [
      near("slope of log error against log eta", logSlope(points), 2, 0.1),
      atMost(`relative error at eta ${ETAS.at(-1)}`, points.at(-1)?.[1] ?? 1, 1e-3),
    ],
    { curves: [{ title: "One L-conv layer against the group convolution", x: "eta", y: "relative error", points, slope: 2 }] },
  );
}
