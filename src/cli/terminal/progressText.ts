import { clock } from "../../report/live.js";
import type { EpochEvent } from "../../train/events.js";

/** Where one task stands, as the progress lines show it. */
export interface TaskState {
  name: string;
  value: number;
  total: number; // 0: not known
  unit: string; // "B" is shown as kB, MB, GB
  startValue: number; // not 0 after a resume
  startTime: number; // ms
  endTime?: number; // ms, once value has reached total
  epoch?: string; // "3/30"
  loss?: number;
  valAccuracy?: number | null;
  rate?: number; // samples a second
}

/** `text` on one line, without control characters: names may come from files and must not steer the terminal. */
export const printable = (text: string): string => text.replace(/\s+/g, " ").replace(/\p{Cc}/gu, "");

/** `lconv ██████░░░░ 60 %  epoch 18/30  loss 0.123  val 94.12 %  19,880/s  0:42 left`, at most `columns` wide. */
export function barLine(state: TaskState, columns: number, nameWidth = state.name.length, now = Date.now()): string {
  const { value, total } = state;
  const share = total > 0 ? Math.min(1, Math.max(0, value / total)) : 0;
  const name = printable(state.name).slice(0, 24).padEnd(Math.min(24, nameWidth));
  const percentage = `${Math.floor(100 * share)} %`.padStart(5);
  const width = Math.max(4, Math.min(30, Math.floor(columns / 4)));
  const details = describe(state, now);
  const length = (): number => name.length + width + percentage.length + 2 + details.reduce((sum, detail) => sum + detail.length + 2, 0);
  // what comes last matters least on a narrow terminal
  while (details.length > 1 && length() >= columns) details.pop();
  const filled = Math.round(share * width);
  return [`${name} ${"█".repeat(filled)}${"░".repeat(width - filled)} ${percentage}`, ...details]
    .join("  ")
    .slice(0, Math.max(1, columns - 1));
}

/** `lconv: 60 %, epoch 18/30, loss 0.123, 19,880/s, 0:42 left`. */
export function plainLine(state: TaskState, now = Date.now()): string {
  const share = state.total > 0 ? [`${Math.floor((100 * state.value) / state.total)} %`] : [];
  return `${printable(state.name)}: ${[...share, ...describe(state, now)].join(", ")}`;
}

/** `lconv: epoch 3/30, loss 0.1234, accuracy 95.12 %, val loss 0.1500, val accuracy 94.00 %, 2.1 s`. */
export function epochLine(event: EpochEvent): string {
  const parts = [`epoch ${event.epoch}/${event.epochs}`, `loss ${event.loss.toFixed(4)}`, `accuracy ${percent(event.accuracy)}`];
  if (event.valLoss !== null) parts.push(`val loss ${event.valLoss.toFixed(4)}`);
  if (event.valAccuracy !== null) parts.push(`val accuracy ${percent(event.valAccuracy)}`);
  return `${printable(event.model)}: ${parts.join(", ")}, ${event.seconds.toFixed(1)} s`;
}

function describe(state: TaskState, now: number): string[] {
  const details: string[] = [];
  if (state.epoch !== undefined) details.push(`epoch ${state.epoch}`);
  else details.push(amount(state));
  if (state.loss !== undefined) details.push(`loss ${significant(state.loss)}`);
  if (typeof state.valAccuracy === "number") details.push(`val ${percent(state.valAccuracy)}`);
  const time = remaining(state, now);
  if (time !== undefined) details.push(time);
  if (state.rate !== undefined && Number.isFinite(state.rate)) details.push(`${Math.round(state.rate).toLocaleString("en-US")}/s`);
  return details;
}

const percent = (fraction: number): string => `${(100 * fraction).toFixed(2)} %`;

const significant = (value: number): string => (Number.isFinite(value) ? value.toPrecision(4) : String(value));

function amount({ value, total, unit }: TaskState): string {
  const show = unit === "B" ? bytes : (n: number): string => n.toLocaleString("en-US");
  const shown = total > 0 ? `${show(value)}/${show(total)}` : show(value);
  return unit === "B" || unit === "" ? shown : `${shown} ${unit}`;
}

function bytes(value: number): string {
  const [size, unit] = value >= 1e9 ? [1e9, "GB"] : value >= 1e6 ? [1e6, "MB"] : [1e3, "kB"];
  return `${(value / size).toFixed(1)} ${unit}`;
}

function remaining({ value, total, startValue, startTime, endTime }: TaskState, now: number): string | undefined {
  const elapsed = ((endTime ?? now) - startTime) / 1000;
  if (value >= total) return total > 0 ? `took ${clock(elapsed)}` : undefined;
  // the first steps warm caches up and would promise too long a run
  if (value <= startValue || elapsed < 1) return undefined;
  return `${clock((elapsed * (total - value)) / (value - startValue))} left`;
}
