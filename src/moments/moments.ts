import { Matrix } from "ml-matrix";
import { defined } from "../defined.js";
import { breathe } from "../engine/breathe.js";
import { type Device, device as defaultDevice } from "../engine/device.js";
import { checkOptions } from "../errors.js";
import type { Whitening } from "../lie/functions/whitening.js";
import { Basis } from "../lie/generators/basis.js";
import { dense, lowRank } from "../lie/generators/generator.js";
import { orthonormal } from "../lie/identify/frame.js";
import { largestAngle } from "../symmetry/spanError.js";
import { scope } from "../tensor/scope.js";
import type { Tensor } from "../tensor/tensor.js";
import { BATCHES, checked, checkedWeights, checkMemory, FOURTH, fourthFits, type MomentOptions, ROWS_EACH, TOLERANCE } from "./checks.js";
import { type ClaimOptions, claimOf, isSeen, type MomentClaim } from "./claim.js";
import { type Components, componentsOf } from "./components.js";
import { type Cumulant, cumulantsOf, symmetric } from "./cumulants.js";
import type { EfficientOptions } from "./efficient.js";
import { Quartic } from "./quartic.js";
import { covarianceOf, type RawMoments, type RawOptions, rawMoments, together } from "./rawMoments.js";
import { drawnIn } from "./robust.js";
import { type Rejected, type Sharpening, sharpened } from "./sharpen.js";
import { effectiveRows, type SampleSource, sourceOf, type Weighted } from "./source.js";
import { type MomentDirection, type Sampled, type Spectrum, type SpectrumOptions, spectrumOf } from "./spectrum.js";

/** What the moments of a distribution say of its symmetries. */
export interface MomentSymmetries {
  /** Number of symmetries; undefined where that cannot be said, for a reason given in `notes`. */
  dimension: number | undefined;
  /** Number of further directions that may be symmetries. */
  undecided: number;
  /** Number of further directions that keep the distribution nearly, but not exactly; with fewer components than x fills, all are taken for symmetries. */
  nearly: number;
  /** The symmetries as x -> mean + exp(tL)(x - mean), L = U V of rank k; undefined if there is none. */
  basis: Basis | undefined;
  /** The same as antisymmetric matrices [k, k] in whitened principal directions, where they are orthonormal. */
  whitened: Basis | undefined;
  /** Those directions. */
  inputs: Whitening;
  /** How many there are. */
  components: number;
  /** Orders of the cumulants beside the second. */
  orders: readonly number[];
  /** The share of the variance of x in them. */
  kept: number;
  /** The directions that were examined, the flattest first: 0 for a symmetry, about 1 for none. */
  directions: readonly MomentDirection[];
  /** 95 % bound of the largest principal angle, radians, to the span that infinitely many samples would give; NaN if there is none. */
  bound: number;
  /** What efficient weights of the equations changed; undefined where they were not applied. */
  sharpening: Sharpening | undefined;
  /** What fewer components say: how many, the dimension there, and the largest angle to the span above inside of them, radians. */
  others: readonly { components: number; dimension: number | undefined; angle: number | undefined }[];
  /** What limits the result, as sentences. */
  notes: readonly string[];
}

/** Above this share of noise directions are bent by more than a bound of first order shows. */
const BLURRED = 0.1;
const BLURRED_NOTE =
  "no error bar: sampling makes up more than a tenth of the change along what is claimed, which bends directions in a way that is not measured; take more samples or fewer components";
/**
 * Linear symmetries of a distribution from its moments: no labels, no pairs and no training (paper, section 3.1, beyond the second moment of Theorem 1). In
 * whitened coordinates an L that keeps the covariance is antisymmetric, and exp(tL) keeps the distribution only if L . kappa = 0 for each cumulant kappa, L
 * acting on every index. Q(L) = sum_p w_p |L . kappa_p|^2 is a quadratic form; its smallest values, as a share of what they would be if the changes of
 * different indices did not cancel, are the symmetries, tested against what sampling alone makes of them in random batches. The same equations define the
 * derivation algebra of a tensor (Brooksbank, Kassabov and Wilson 2024).
 *
 * x is a tensor [N, d] or [N, m, d], or a source that is read in some ten passes. Channels share L. Cost O(N k^order + k^(order + 1)) for k components,
 * of order 4 above 40 components O(N k^4 / 24 + k^6).
 * Throws ERR_LCONV_SHAPE; ERR_LCONV_DATA for values that are not finite, samples that are all the same or on a line, fewer than 160, in each class, or than 20 for each component;
 * ERR_LCONV_ARGUMENT for more components than x fills, or moments beyond memory; ERR_LCONV_OPTION; and the reason of `signal`.
 *
 * @example
 * ```ts
 * import { lie, Philox, tensor } from "lconv";
 *
 * const N = 3000;
 * const u = new Philox(1, 0).uniform(2 * N);
 * const x = Float32Array.from({ length: 3 * N }, (_, at) => {
 *   const [n, angle] = [Math.floor(at / 3), 2 * Math.PI * u[Math.floor(at / 3)]];
 *   return [Math.cos(angle), Math.sin(angle), u[N + n]][at % 3]; // a cylinder
 * });
 * const { dimension } = await lie.symmetriesFromMoments(tensor(x, { shape: [N, 3] })); // 1
 * ```
 */
export async function symmetriesFromMoments(x: Tensor | SampleSource, options: MomentOptions = {}): Promise<MomentSymmetries> {
  checkOptions("symmetriesFromMoments", options, {
    ...{ components: 1, orders: 1, labels: 1, weights: 1, robust: 1, tolerance: 1, seed: 1, signal: 1, onStep: 1 },
  });
  const { components = "auto", robust = false, tolerance = TOLERANCE, seed = 0, signal, onStep } = options;
  const given = await sourceOf(x);
  const weighted: Weighted = { ...given, ...checkedWeights(options.weights, given.N) };
  const { classOf, classes, notes } = checked(weighted, options);
  const device = given.device ?? defaultDevice();
  const most = Math.floor(effectiveRows(weighted) / ROWS_EACH);
  const source = robust ? await drawnIn(weighted, most, device, signal) : weighted;
  const found = await componentsOf(source, components, most, device, signal);
  const { inputs, k, kept, complete } = found;
  const settings = { device, seed, ...defined({ signal, onStep }) };
  return scope(async () => {
    const { orders, effective, sampled, spectrum } = await examined(source, found, {
      ...{ orders: options.orders, classes, ...settings },
      ...defined({ classOf }),
    });
    const claim = claimOf(spectrum, { tolerance, orders, complete, effective });
    const start = orthonormalOf(claim.claimed.map((i) => spectrum.directions[i].L));
    const parts = { source, inputs, exact: complete && classOf === undefined, start, sampled, spectrum, claim };
    const span = await spanOf(parts, { ...settings, effective: effective / source.m });
    const there = span.Ls.length > 0;
    return {
      ...{ dimension: span.dimension, undecided: span.undecided, nearly: claim.nearly },
      basis: there ? new Basis(span.Ls.map((L) => lowRank(span.inputs.from.mmul(L), span.inputs.to))) : undefined,
      whitened: there ? new Basis(span.Ls.map((L) => dense(L))) : undefined,
      ...{ inputs: span.inputs, components: k, orders, kept },
      directions: spectrum.directions.map(({ L: _, ...numbers }) => numbers),
      ...{ bound: span.bound, sharpening: span.sharpening },
      others: await compared(sampled, start, found, { tolerance, orders, ...settings }),
      notes: [...notes, ...found.notes, ...claim.notes, ...span.notes],
    };
  });
}

const orthonormalOf = (list: readonly Matrix[]): readonly Matrix[] => (list.length > 0 ? orthonormal(list).matrices : []);

interface Examined {
  orders: readonly number[];
  /** How many rows decide the greatest moments. */
  effective: number;
  sampled: Sampled;
  spectrum: Spectrum;
}

type ExaminedOptions = Omit<SpectrumOptions, "isotropic"> &
  Pick<RawOptions, "classes" | "classOf"> & { orders: readonly (3 | 4)[] | undefined };

/** With the orders asked for; else of many components the third alone, which is faster, unless it shows nothing, as of symmetric x. The scope in force owns it. */
async function examined(source: Weighted, found: Components, { orders, ...options }: ExaminedOptions): Promise<Examined> {
  const { k } = found;
  const withOrders = async (orders: readonly (3 | 4)[]): Promise<Examined> => {
    const { sampled, effective } = await sampledOf(source, found, { orders, ...options });
    return { orders, effective, sampled, spectrum: await seenOf(sampled, options) };
  };
  if (orders) return withOrders(orders);
  if (k <= FOURTH) return withOrders([3, 4]);
  const third = await withOrders([3]);
  return isSeen(third.spectrum) || !fourthFits(k, options.classes) ? third : withOrders([3, 4]);
}

/** Raw moments, which take more memory than what is made of them, live no longer than this. */
async function sampledOf(
  source: Weighted,
  found: Components,
  { orders, classes, classOf, device, seed, signal, onStep }: ExaminedOptions & { orders: readonly (3 | 4)[] },
): Promise<Pick<Examined, "sampled" | "effective">> {
  const order = Math.max(...orders) as 3 | 4;
  checkMemory(found.k, order, classes);
  const { groups, effective } = await rawMoments(source, found, {
    ...{ order, batches: BATCHES, classes, seed, device, ...defined({ classOf, signal }) },
    onStep: (done, of) => onStep?.("moments", done, of),
  });
  return { sampled: await sampledFrom(groups, orders, device, signal), effective };
}

interface Claimed {
  source: Weighted;
  inputs: Whitening;
  /** Whether all of x is there, in one distribution, so that a symmetry can be exact. */
  exact: boolean;
  /** What is claimed, orthonormal. */
  start: readonly Matrix[];
  sampled: Sampled;
  spectrum: Spectrum;
  claim: MomentClaim;
}

interface Span {
  Ls: readonly Matrix[];
  inputs: Whitening;
  dimension: number | undefined;
  undecided: number;
  bound: number;
  sharpening?: Sharpening;
  notes: readonly string[];
}

/** The claimed span, sharpened where that can be done, with its error bar. */
async function spanOf({ source, inputs, exact, start, sampled, spectrum, claim }: Claimed, settings: EfficientOptions): Promise<Span> {
  const { claimed, undecided, dimension } = claim;
  const possible = exact && start.length > 0 && dimension !== undefined;
  const sharp = possible ? await sharpened(source, inputs, sampled.covariance, sampled.all, start, settings) : undefined;
  if (sharp && "span" in sharp) {
    const { span: Ls, ...rest } = sharp;
    return { Ls, dimension, undecided, ...rest, notes: [] };
  }
  const blurred = claimed.some((i) => spectrum.directions[i].noise > BLURRED);
  const bound = start.length === 0 || blurred ? Number.NaN : await spectrum.bound(claimed);
  const mixed = sharp !== undefined && sharp.holding > 0;
  const notes = [...(sharp ? [rejectedNote(sharp, start.length)] : []), ...(blurred ? [BLURRED_NOTE] : [])];
  return { Ls: start, inputs, dimension: mixed ? undefined : dimension, undecided, bound, notes };
}

function rejectedNote({ holding, misfit }: Rejected, n: number): string {
  const missing = `the equations of the moments miss by ${misfit.toPrecision(2)} times what sampling explains`;
  return holding > 0
    ? `no claim: some of these ${n} directions are kept nearly, and not exactly, as ${missing}, but for about ${holding} of them; which those are is not known`
    : `as an exact symmetry it is rejected: ${missing}`;
}

/** Cumulants of all samples and of each batch; the scope in force owns them. */
async function sampledFrom(
  groups: readonly (readonly RawMoments[])[],
  orders: readonly number[],
  device: Device,
  signal?: AbortSignal,
): Promise<Sampled> {
  const whole = groups.map(together);
  const all = await cumulantsOf(whole, together(whole), orders, device, signal);
  const batches: Cumulant[][] = [];
  const covariances: Matrix[] = [];
  for (let b = 0; b < BATCHES; b++) {
    await breathe(signal);
    const list = groups.map((group) => group[b]);
    const one = together(list);
    batches.push(await cumulantsOf(list, one, orders, device, signal));
    covariances.push(covarianceOf(one));
  }
  return { all, batches, covariances, covariance: covarianceOf(together(whole)) };
}

/** The isotropic part, as of an elliptical distribution, counts where there is no other. */
async function seenOf(sampled: Sampled, options: Omit<SpectrumOptions, "isotropic">): Promise<Spectrum> {
  const spectrum = await spectrumOf(sampled, { ...options, isotropic: false });
  return isSeen(spectrum) ? spectrum : spectrumOf(sampled, { ...options, isotropic: true });
}

/** The same with fewer components: the leading part of each cumulant. */
async function compared(
  sampled: Sampled,
  Ls: readonly Matrix[],
  { others }: Components,
  options: Omit<ClaimOptions, "complete" | "effective"> & Omit<SpectrumOptions, "isotropic">,
): Promise<MomentSymmetries["others"]> {
  const results: MomentSymmetries["others"][number][] = [];
  for (const components of others)
    results.push(
      await scope(async () => {
        const spectrum = await seenOf(await leading(sampled, components, options.device), options);
        const { dimension, claimed } = claimOf(spectrum, { ...options, complete: false, effective: Number.POSITIVE_INFINITY });
        const inside = (L: Matrix): Matrix => L.subMatrix(0, components - 1, 0, components - 1);
        const columns = (list: readonly Matrix[]): Matrix => new Matrix(list.map((L) => L.to1DArray())).transpose();
        const found = claimed.map((i) => spectrum.directions[i].L);
        const same = found.length > 0 && found.length === Ls.length;
        return { components, dimension, angle: same ? largestAngle(columns(found), columns(Ls.map(inside))) : undefined };
      }),
    );
  return results;
}

async function leading({ all, batches, covariances, covariance }: Sampled, k: number, device: Device): Promise<Sampled> {
  const cut = async (list: readonly Cumulant[]): Promise<Cumulant[]> => {
    const out: Cumulant[] = [];
    for (const { p, kappa } of list) {
      if (kappa instanceof Quartic) {
        out.push({ p, kappa: kappa.leading(k) });
        continue;
      }
      const size = kappa.shape[0];
      let values = (await kappa.data()) as Float32Array;
      for (let axis = 0; axis < p; axis++) values = cutAxis(values, size ** (p - axis - 1), size, k);
      out.push({ p, kappa: symmetric(values, k, device) });
    }
    return out;
  };
  const leadingPart = (C: Matrix): Matrix => C.subMatrix(0, k - 1, 0, k - 1);
  const parts: Cumulant[][] = [];
  for (const batch of batches) parts.push(await cut(batch));
  return { all: await cut(all), batches: parts, covariances: covariances.map(leadingPart), covariance: leadingPart(covariance) };
}

/** The first k of `size` entries along an axis whose entries are `stride` numbers; later axes are cut already or are cut later. */
function cutAxis(values: Float32Array, stride: number, size: number, k: number): Float32Array {
  const out = new Float32Array((values.length / size) * k);
  for (let from = 0, to = 0; from < values.length; from += size * stride, to += k * stride)
    out.set(values.subarray(from, from + k * stride), to);
  return out;
}
