import { defined } from "../../defined.js";
import { regressionLearned, type Spread } from "../regression/learned.js";
import { regressionScaling } from "../regression/scaling.js";
import { atLeast, atMost, near, type Setting, type Verdict, verdict } from "./verdict.js";

const SEEDS = 5;

/**
 * Whether a linear L-conv finds the symmetries of a linear regression, which the paper leaves open (section 3.1), and why data off centre hide them.
 * Of the generators it learns only the sum with its weights is determined by the data, so that must lie in the algebra that keeps H.
 */
export async function regression({ device, signal, onProgress }: Setting): Promise<Verdict> {
  const { summary, chance, nearer } = await regressionLearned({ seeds: SEEDS, device, ...defined({ signal }) });
  onProgress?.(1, 2);
  const rows = await regressionScaling({ device, ...defined({ signal }) });
  const errors = rows.filter(({ scaling, products }) => scaling !== "none" && products === "float32");
  const [raw, centered] = [false, true].map((wanted) => errors.find((row) => row.centered === wanted)?.error ?? Number.NaN);
  const show = ({ mean, sd }: Spread): string => `${mean.toFixed(2)} ± ${sd.toFixed(2)}`;
  return verdict(
    "regression",
    "A linear L-conv fitted to a rotation learns the symmetry of H in the sum of its generators; data must be centred for H to show it.",
    [
      atMost("sine of the angle of sum_i W^i L_i to the algebra that keeps H", summary.sum?.covariance.mean ?? Number.NaN, 0.15),
      near("the same of random generators, which dimensions alone decide", summary.random.covariance.mean, chance.covariance, 0.05),
      atMost("max |R found - R|, float32, on (X - 127.5) / 255 when centred", centered, 1e-5),
      atLeast("the same as the authors took it, not centred: the rotation is lost", raw, 0.01),
    ],
    {
      notes: [
        `each learned L_i by itself is no nearer to the algebra (${show(summary.learned.covariance)} over ${SEEDS} seeds) than random ones ` +
          `(${show(summary.random.covariance)}); nearer in ${nearer.covariance} of ${SEEDS} seeds`,
      ],
    },
  );
}
