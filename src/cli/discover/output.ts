import { defined } from "../../defined.js";
import { type Evidence, evidenceRows, nothingFound } from "../../discover/evidence.js";
import type { BoundedDefect, Discovery } from "../../discover/result.js";
import type { Found } from "../../discover/samples.js";
import { saveNothing, saveSymmetries } from "../../report/saveSymmetries.js";
import { created } from "../run/modelReport.js";
import type { Context } from "../terminal/context.js";
import { unfinished } from "../terminal/outFolder.js";
import { list } from "../terminal/output.js";

/** A discovery in numbers, without the generators themselves. */
export function summaryOf({
  source,
  identification,
  angles,
  defects,
  evidence,
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
    ...defined({ defects }),
    ...(evidence && shortEvidence(evidence, basis.n_L)),
    notes,
  };
}

/** Residuals and their noise up to three directions beyond the symmetries. */
export const shortEvidence = ({ residuals, noise, ...rest }: Evidence, n_L: number): Evidence => ({
  ...rest,
  residuals: residuals.slice(0, n_L + 3),
  ...defined({ noise: noise?.slice(0, n_L + 3) }),
});

/** The same for people. */
export function showDiscovery(discovery: Discovery): string {
  const { source, angles, defects, evidence, notes, basis, standard } = discovery;
  const rows: [string, string][] = [
    ["from", source],
    ["dimension", String(basis.n_L)],
    ["algebra", algebraLine(discovery)],
    ...(standard ? [["standard basis", standard.names.join(", ")] as [string, string]] : []),
    ...(defects ? [["equivariance defect", showDefects(defects)] as [string, string]] : []),
    ...angles.flatMap(({ known, degrees, defects: ofKnown, notes: why = [] }): [string, string][] => [
      [`angles to ${known}`, `${degrees.map((x) => x.toFixed(2)).join(", ")} degrees`],
      ...(ofKnown ? [[`defect under ${known}`, showDefects(ofKnown)] as [string, string]] : []),
      ...why.map((note): [string, string] => [`under ${known}`, note]),
    ]),
    ...(evidence ? evidenceRows(evidence, basis.n_L) : []),
  ];
  return list([...rows, ...notes.map((note): [string, string] => ["note", note])]);
}

/** No symmetry, or no claim, for people. */
export function showNothing({ source, dimension, evidence, notes }: Found): string {
  const rows: [string, string][] = [
    ["from", source],
    ["result", nothingFound(dimension, evidence).text],
    ...evidenceRows(evidence, 0),
    ...notes.map((note): [string, string] => ["note", note]),
  ];
  return list(rows);
}

function algebraLine({ identification: { name, certain, distance, alternatives } }: Discovery): string {
  const others = alternatives.length > 0 ? `; not excluded: ${alternatives.join(", ")}` : "";
  return `${name} (${certain ? "" : "not certain, "}distance ${distance.toPrecision(2)})${others}`;
}

const showDefects = (defects: readonly BoundedDefect[]): string =>
  defects
    .map(({ defect, upper }) =>
      Number.isNaN(defect) ? "not measurable on these samples" : `${defect.toPrecision(2)} (at most ${upper.toPrecision(2)})`,
    )
    .join(", ");

/** To a folder, with a line that says so; of no result its reason. Throws ERR_LCONV_IO. */
export function writeDiscovery(folder: string, title: string, found: Discovery | Found, { out }: Context): void {
  const finished = unfinished(folder);
  const head = { title, created: created() };
  if ("basis" in found) saveSymmetries(folder, found, head);
  else saveNothing(folder, found, head);
  finished();
  out.text(`written to ${folder}`);
}
