import { architecture, type LConvSpec } from "../models/architecture.js";
import type { InputSize, ModelName, ModelOptions } from "../models/models.js";
import type { GeneratorForm } from "../ops/order.js";
import { BATCH } from "./cases.js";
import { isTrained, lconvWork } from "./lconvWork.js";
import { computingLayers } from "./networkCost.js";

/** One form that the generators of a layer could have. */
export interface FormPlan {
  form: GeneratorForm["form"];
  /** Of low rank. */
  d_h?: number;
  /** Entries of a row that are not zero, of sparse ones. */
  nnzPerRow?: number;
  trained: boolean;
  /** Two for each multiply-add of a train step of the whole layer. */
  stepFlops: number;
  /** Held by the generators; sparse ones lie there with their transposes. */
  generatorBytes: number;
}

/** What other forms of its generators would cost an L-conv layer. */
export interface GeneratorPlan {
  /** Number of the layer among those of planNetwork, from 1 on. */
  layer: number;
  n_L: number;
  d: number;
  m_in: number;
  m_out: number;
  /** The layer's own form first. */
  forms: readonly FormPlan[];
  /** The greatest d_h at which low rank takes no more multiply-adds than dense; 0 where there is none. */
  breakEvenRank: number;
  /** The greatest number of entries a row at which sparse takes no more multiply-adds than the layer's low rank; 0 where even one is more. */
  breakEvenNnz: number;
}

/** A shift, and a 3 x 3 kernel. */
const SPARSE = [1, 9];

/**
 * Counts low-rank, dense and sparse generators for each L-conv layer of a network; layers of `pool: "strided"` know low rank alone and are left out.
 * Counts of work are not times: bench/planNetwork.ts measures both. Throws as architecture() does.
 */
export function planGenerators(name: ModelName, input: InputSize, options: ModelOptions = {}, batch = BATCH): GeneratorPlan[] {
  const specs = computingLayers(architecture(name, input, options));
  return specs.flatMap((spec, i) =>
    spec.layer === "lconv" || spec.layer === "lconv-max" ? [planLayerGenerators({ ...spec, layer: spec.layer }, i, batch)] : [],
  );
}

function planLayerGenerators(spec: LConvSpec, index: number, batch: number): GeneratorPlan {
  const { d, m_in, m_out, generators } = spec.options;
  const { n_L, d_h } = generators;
  const own: GeneratorForm = { form: "lowRank", d_h };
  const work = (g: GeneratorForm): number => {
    const { forward, backward } = lconvWork(spec, g, index > 0);
    return forward + backward;
  };
  const plan = (g: GeneratorForm, sizes: Pick<FormPlan, "d_h" | "nnzPerRow">): FormPlan => ({
    form: g.form,
    ...sizes,
    trained: isTrained(spec, g),
    stepFlops: 2 * batch * work(g),
    generatorBytes: n_L * generatorBytes(g, d),
  });
  const few = SPARSE.filter((nnz) => nnz <= d);
  return {
    layer: index + 1,
    n_L,
    d,
    m_in,
    m_out,
    forms: [plan(own, { d_h }), plan({ form: "dense" }, {}), ...few.map((n) => plan({ form: "sparse", nnz: n * d }, { nnzPerRow: n }))],
    breakEvenRank: greatest(d, (rank) => work({ form: "lowRank", d_h: rank }) <= work({ form: "dense" })),
    breakEvenNnz: greatest(d, (nnz) => work({ form: "sparse", nnz: nnz * d }) <= work(own)),
  };
}

/** The greatest of 1..most that `fits`, or 0. */
function greatest(most: number, fits: (n: number) => boolean): number {
  let n = most;
  while (n > 0 && !fits(n)) n--;
  return n;
}

/** Of one generator: float32 values; and in both CSR forms of a sparse one, int32 columns and row starts. */
function generatorBytes(g: GeneratorForm, d: number): number {
  const BYTES = 4;
  if (g.form === "sparse") return 2 * BYTES * (2 * g.nnz + d + 1);
  return BYTES * (g.form === "dense" ? d * d : 2 * d * g.d_h);
}
