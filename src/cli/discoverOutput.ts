import type { Defect, Discovery } from "../experiments/discover/result.js";
import { saveSymmetries } from "../report/saveSymmetries.js";
import type { Context } from "./context.js";
import { unfinished } from "./outFolder.js";
import { list } from "./output.js";
import { created } from "./report.js";

/** A discovery in numbers, without the generators themselves. */
export function summaryOf({
  source,
  identification,
  angles,
  defects,
  residuals,
  spread,
  strengths,
  notes,
  basis,
}: Discovery): Record<string, unknown> {
  const { structure, name, distance, certain, alternatives, facts } = identification;
  return {
    source,
    dimension: basis.n_L,
    algebra: name,
    distance,
    certain,
    alternatives,
    facts,
    closureResidual: structure.closureResidual,
    signature: structure.signature,
    strengths,
    angles,
    ...(defects && { defects }),
    ...(residuals && { residuals: residuals.slice(0, basis.n_L + 3) }),
    ...(spread !== undefined && { spread }),
    notes,
  };
}

/** The same for people. */
export function showDiscovery(discovery: Discovery): string {
  const { source, angles, defects, residuals, spread, notes, basis } = discovery;
  const rows: [string, string][] = [
    ["from", source],
    ["dimension", String(basis.n_L)],
    ["algebra", algebraLine(discovery)],
    ...(defects ? [["equivariance defect", showDefects(defects)] as [string, string]] : []),
    ...angles.flatMap(({ known, degrees, defects: ofKnown, notes: why = [] }): [string, string][] => [
      [`angles to ${known}`, `${degrees.map((x) => x.toFixed(2)).join(", ")} degrees`],
      ...(ofKnown ? [[`defect under ${known}`, showDefects(ofKnown)] as [string, string]] : []),
      ...why.map((note): [string, string] => [`under ${known}`, note]),
    ]),
  ];
  if (residuals) {
    const next = residuals.slice(basis.n_L, basis.n_L + 2);
    const show = (values: readonly number[]): string => values.map((x) => x.toPrecision(2)).join(", ");
    rows.push(["residuals", `${show(residuals.slice(0, basis.n_L))}${next.length > 0 ? `; of the next directions ${show(next)}` : ""}`]);
  }
  if (spread !== undefined && Number.isFinite(spread)) rows.push(["spread", `${spread.toFixed(2)} degrees`]);
  return list([...rows, ...notes.map((note): [string, string] => ["note", note])]);
}

function algebraLine({ identification: { name, certain, distance, alternatives } }: Discovery): string {
  const others = alternatives.length > 0 ? `; not excluded: ${alternatives.join(", ")}` : "";
  return `${name} (${certain ? "" : "not certain, "}distance ${distance.toPrecision(2)})${others}`;
}

const showDefects = (defects: readonly Defect[]): string =>
  defects
    .map(({ defect, upper }) =>
      Number.isNaN(defect) ? "not measurable on these samples" : `${defect.toPrecision(2)} (at most ${upper.toPrecision(2)})`,
    )
    .join(", ");

/** To a folder, with a line that says so. Throws ERR_LCONV_IO. */
export function writeDiscovery(folder: string, title: string, discovery: Discovery, { out }: Context): void {
  const finished = unfinished(folder);
  saveSymmetries(folder, discovery, { title, created: created() });
  finished();
  out.text(`written to ${folder}`);
}
