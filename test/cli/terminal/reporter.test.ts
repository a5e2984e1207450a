import { spawnSync } from "node:child_process";
import { Writable } from "node:stream";
import { setTimeout } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { aboveBars } from "../../../src/cli/terminal/bars.js";
import { barLine, plainLine, type TaskState } from "../../../src/cli/terminal/progressText.js";
import { createReporter, type ReporterMode } from "../../../src/cli/terminal/reporter.js";
import type { EpochEvent, StepEvent } from "../../../src/train/events.js";
import { Terminal } from "../../support/terminal.js";

const test = suite("cli/reporter");

process.env.TERM = "xterm"; // "dumb" would turn bars into lines

class Sink extends Writable {
  text = "";
  isTTY: boolean;
  columns = 100;

  constructor(isTTY = false) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.text += chunk.toString();
    done();
  }

  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }
}

const step = (n: number, model = "lconv"): StepEvent => ({
  type: "step",
  model,
  epoch: 1,
  epochs: 2,
  step: n,
  steps: 100,
  loss: 0.5,
  samplesPerSecond: 1234.5,
});
const epoch = (n: number, model = "lconv"): EpochEvent => ({
  type: "epoch",
  model,
  epoch: n,
  epochs: 2,
  loss: 0.25,
  accuracy: 0.9,
  valLoss: null,
  valAccuracy: 0.875,
  testAccuracy: null,
  seconds: 1.5,
  learningRate: 0.01,
});

/** Date.now under the test's control. */
function withClock(body: (advance: (ms: number) => void) => void): void {
  const real = Date.now;
  let now = 1_000_000;
  Date.now = () => now;
  try {
    body((ms) => {
      now += ms;
    });
  } finally {
    Date.now = real;
  }
}

test("plain: a line an epoch, and at most one every five seconds between", () => {
  withClock((advance) => {
    const sink = new Sink();
    const reporter = createReporter({ stream: sink });
    for (let n = 1; n <= 60; n++) {
      reporter.event(step(n));
      advance(200);
    }
    reporter.event(epoch(1));
    reporter.event({ type: "checkpoint", model: "lconv", path: "/tmp/x", step: 60 });
    reporter.done();
    reporter.line("after the end");
    assert.is(sink.lines.length, 3);
    assert.match(sink.lines[0], /^lconv: 26 %, epoch 1\/2, loss 0.5000, 0:15 left, 1,235\/s$/);
    assert.is(sink.lines[2], "lconv: epoch 1/2, loss 0.2500, accuracy 90.00 %, val accuracy 87.50 %, 1.5 s");
    assert.not.match(sink.text, "\u001b");
  });
});

test("plain: a short task is told once, at its end", () => {
  withClock((advance) => {
    const sink = new Sink();
    const reporter = createReporter({ mode: "plain", stream: sink });
    for (const value of [0, 2, 5, 10, 10]) {
      if (value > 0) advance(500);
      reporter.event({ type: "task", name: "rotate", total: 10, value, unit: "images" });
    }
    assert.equal(sink.lines, ["rotate: 100 %, 10/10 images, took 0:02"]);
  });
});

test("jsonl: every event is an object on a line of its own", () => {
  const sink = new Sink();
  const reporter = createReporter({ mode: "jsonl", stream: sink });
  reporter.event({ type: "note", text: 'a "b"\n' });
  reporter.event(step(1));
  reporter.event(epoch(1));
  reporter.event({ type: "checkpoint", model: "lconv", path: "/tmp/x", step: 1 });
  reporter.event({ type: "task", name: "t", total: 0, value: 7 });
  reporter.line("two\nlines");
  reporter.done();
  const objects = sink.lines.map((line) => JSON.parse(line));
  assert.equal(
    objects.map(({ event }) => event),
    ["note", "step", "epoch", "checkpoint", "task", "line"],
  );
  assert.is(objects[2].valAccuracy, 0.875);
  assert.not.ok("type" in objects[2]);
});

test("bar: one bar a model on a terminal, lines above, the cursor given back", () => {
  const listeners = process.listenerCount("exit");
  const sink = new Sink(true);
  const reporter = createReporter({ stream: sink });
  reporter.line("before");
  reporter.event(step(10));
  reporter.event(step(20, "cnn"));
  reporter.line("one\ntwo");
  reporter.event(step(100));
  reporter.event(epoch(2));
  reporter.done();
  const length = sink.text.length;
  reporter.done();
  reporter.event(step(100));
  assert.is(sink.text.length, length);
  assert.match(sink.text, /^before\n/);
  assert.match(sink.text, /one.*\n.*two.*\n/);
  assert.match(sink.text, /lconv █+ 100 %/);
  assert.match(sink.text, /cnn {3}█+░+ {2}20 %/);
  assert.match(sink.text, "val 87.50 %");
  assert.ok(sink.text.lastIndexOf("\u001b[?25h") > sink.text.lastIndexOf("\u001b[?25l"));
  assert.is(process.listenerCount("exit"), listeners);
});

const resume = `stopped; go on with: lconv train --resume ${"runs/".repeat(20)}mnist`;

test("bar: a line longer than the terminal is wide stays whole, such as the command that resumes a run", () => {
  const terminal = new Terminal(80);
  const reporter = createReporter({ stream: terminal });
  reporter.event(step(10));
  reporter.line(resume);
  reporter.done();
  assert.ok(terminal.lines.includes(resume), terminal.lines.join("\n"));
});

test("bar: a terminal that changes its width shows each line and each bar once", async () => {
  const terminal = new Terminal(100);
  const reporter = createReporter({ stream: terminal });
  reporter.event(step(10));
  reporter.event(step(20, "cnn"));
  reporter.line(resume);
  for (const columns of [40, 25, 120, 60]) {
    terminal.resize(columns);
    await setTimeout(120); // a drawing that waits
    reporter.event(step(columns));
    reporter.line(`now ${columns}`);
    aboveBars(() => terminal.write("a result\n"));
  }
  reporter.done();
  assert.equal(
    terminal.lines.map((line) => line.replace(/ .*█.*/, "")),
    [resume, ...[40, 25, 120, 60].flatMap((columns) => [`now ${columns}`, "a result"]), "lconv", "cnn", ""],
  );
  assert.ok(terminal.cursorShown && terminal.atStart);
});

test("bar: the terminal is given back where the process ends on its way", async () => {
  const start = `
    import { Bars } from ${JSON.stringify(import.meta.resolve("../../../src/cli/terminal/bars.ts"))};
    const task = { name: "a", value: 1, total: 2, unit: "", startValue: 0, startTime: 0 };
    new Bars(process.stdout, new Map([["a", task]])).update();
  `;
  for (const [end, code] of [
    ["process.exit(3);", 3],
    ["throw new Error('unexpected');", 1],
  ] as const) {
    const child = spawnSync(process.execPath, ["--import", import.meta.resolve("tsx"), "--input-type=module", "-e", start + end], {
      encoding: "utf8",
    });
    assert.is(child.status, code, child.stderr);
    const terminal = new Terminal(80);
    terminal.write(child.stdout);
    assert.ok(terminal.cursorShown && terminal.atStart, JSON.stringify(child.stdout));
    assert.match(terminal.lines[0], /^a █+░+ +50 %/);
  }
});

test("bar asked for off a terminal becomes plain lines", () => {
  const sink = new Sink();
  const reporter = createReporter({ mode: "bar", stream: sink });
  reporter.event(epoch(1));
  assert.is(sink.lines.length, 1);
  reporter.done();
});

test("silent says what has to be known of the result", () => {
  const sink = new Sink();
  const reporter = createReporter({ mode: "silent", stream: sink });
  reporter.event({ type: "note", text: "other threads" });
  reporter.event({ type: "fallback", model: "lconv", path: "c.previous.safetensors", step: 7, reason: "c.safetensors: damaged" });
  const [note, fallback] = sink.text.split("\n");
  assert.is(note, "note: other threads");
  assert.match(fallback, /^note: c\.safetensors: damaged\. lconv goes on from .*c\.previous\.safetensors, after step 7/);
});

test("silent says nothing", () => {
  const sink = new Sink(true);
  const reporter = createReporter({ mode: "silent", stream: sink });
  reporter.event(step(1));
  reporter.event(epoch(1));
  reporter.line("a");
  reporter.done();
  assert.is(sink.text, "");
});

test("a stream that breaks does not end the work", () => {
  const sink = new Sink();
  createReporter({ stream: sink });
  createReporter({ stream: sink });
  assert.is(sink.listenerCount("error"), 1);
  sink.emit("error", new Error("EPIPE"));
});

const state: TaskState = {
  name: "lconv",
  value: 50,
  total: 100,
  unit: "steps",
  startValue: 0,
  startTime: 0,
  epoch: "1/2",
  loss: 0.5,
  valAccuracy: 0.9,
  rate: 1000,
};

test("a bar never reaches the last column", () => {
  for (const columns of [1, 5, 20, 40, 80, 200]) {
    const line = barLine(state, columns, 5, 10_000);
    assert.ok(line.length < Math.max(2, columns), `${line.length} of ${columns}`);
  }
  assert.is(
    barLine(state, 88, 5, 10_000),
    `lconv ${"█".repeat(11)}${"░".repeat(11)}  50 %  epoch 1/2  loss 0.5000  val 90.00 %  0:10 left`,
  );
});

test("names cannot steer the terminal", () => {
  const name = "a\u001b[2J\nb\u0007";
  assert.is(plainLine({ ...state, name }, 0).split(":")[0], "a[2J b");
  assert.not.match(barLine({ ...state, name }, 80), /\p{Cc}/u);
});

test("bytes, unknown totals and no rate yet", () => {
  const download: TaskState = { name: "train-images", value: 4_500_000, total: 9_900_000, unit: "B", startValue: 0, startTime: 0 };
  assert.is(plainLine(download, 500), "train-images: 45 %, 4.5 MB/9.9 MB");
  assert.is(plainLine({ ...download, total: 0 }, 5000), "train-images: 4.5 MB");
  assert.is(plainLine({ ...download, total: 0, value: 1500, unit: "images" }, 5000), "train-images: 1,500 images");
  assert.match(barLine({ ...download, total: 0 }, 80), "0 %");
});

test("an unknown mode or option is an error that names the nearest", () => {
  assert.throws(() => createReporter({ mode: "plan" as ReporterMode }), /did you mean "plain"\?/);
  assert.throws(() => createReporter({ sream: new Sink() } as object), /did you mean "stream"\?/);
});

test.run();
