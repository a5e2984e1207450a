import { type EpochMetrics, learningCurve, percent } from "./curves.js";
import { page, scroll, textTable } from "./page.js";
import { element, escapeText } from "./svg.js";

/** A run as it stands now. */
export interface LiveRun {
  name: string;
  /** "running", or what became of it. */
  state: string;
  /** Epochs that it is to have. */
  epochs: number;
  history: readonly EpochMetrics[];
  /** Where it is in the epoch under way, where that is known. */
  step?: { step: number; steps: number; loss: number; samplesPerSecond: number } | undefined;
  secondsLeft?: number | undefined;
}

/** What a live page shows. */
export interface LiveState {
  runs: readonly LiveRun[];
  /** One sentence for all runs, with the estimated time left where there is an estimate. */
  summary: string;
}

/** Of more curves than there are colours, two would look alike. */
const MOST_CURVES = 6;
const MOST_ROWS = 100;

/** The part of the page that changes. */
export function liveFragment({ runs, summary }: LiveState): string {
  const shown = [...runs].sort(byInterest);
  const curves = shown.filter(({ history }) => history.length > 0).slice(0, MOST_CURVES);
  const rows = shown.slice(0, MOST_ROWS).map(liveRow);
  const left = runs.length - rows.length;
  return [
    element("p", { role: "status" }, escapeText(summary)),
    curves.length === 0
      ? ""
      : element(
          "div",
          { class: "row charts" },
          ...(["valAccuracy", "loss"] as const).map((metric) => element("figure", {}, learningCurve(curves, metric))),
        ),
    scroll(
      textTable(
        liveColumns.map((heading, i) => ({ heading, number: i > 1 })),
        rows,
      ),
      "Runs",
    ),
    left > 0 ? element("p", { class: "muted" }, `${left} more are not shown.`) : "",
  ].join("\n");
}

/** Those that run come first, then what failed, then what ended last. */
const rank = ({ state }: LiveRun): number => ["running", "failed", "begun", "done"].indexOf(state) + 1 || 9;
export const byInterest = (a: LiveRun, b: LiveRun): number => rank(a) - rank(b);

export const liveColumns = ["Run", "State", "Epoch", "Validation", "Best", "Loss", "Samples/s", "Left"] as const;

/** A run as a row of text. */
export function liveRow({ name, state, epochs, history, step, secondsLeft }: LiveRun): string[] {
  const last = history.at(-1);
  const best = Math.max(...history.map(({ valAccuracy }) => valAccuracy ?? Number.NEGATIVE_INFINITY));
  const loss = step?.loss ?? last?.loss;
  return [
    ...[name, state, `${history.length}/${epochs}`],
    typeof last?.valAccuracy === "number" ? percent(last.valAccuracy) : "–",
    Number.isFinite(best) ? percent(best) : "–",
    typeof loss === "number" ? loss.toFixed(4) : "–",
    step === undefined ? "–" : Math.round(step.samplesPerSecond).toLocaleString("en-US"),
    secondsLeft === undefined ? "–" : clock(secondsLeft),
  ];
}

/** 75 as "1:15", 3675 as "1:01:15". */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number): string => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** Its own script, style and stream of states, and nothing from elsewhere. */
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'";

/** The page around it. */
export const livePage = (title: string): string =>
  page(
    { title },
    [element("div", { id: "live" }, element("p", {}, "Waiting for the first state.")), '<script src="live.js"></script>'],
    policy,
  );

/** Puts each state that comes into the page; a lost connection is said, and tried again by the browser. */
export const liveScript = `"use strict";
const place = document.getElementById("live");
const source = new EventSource("events");
let ended = false;
source.addEventListener("state", (event) => { place.innerHTML = JSON.parse(event.data); });
source.addEventListener("end", () => {
  ended = true;
  source.close();
  const status = place.querySelector("[role=status]");
  if (status) status.textContent += ". The command has ended.";
});
source.addEventListener("error", () => {
  const status = place.querySelector("[role=status]");
  if (!ended && status) status.textContent = "The connection is lost: the command has ended or was stopped. This is the last state.";
});
`;
