// time limit: 900 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runChild } from "../support/child.js";

const test = suite("engine/leave");

async function leaves(how: string, code: number, stdout = "", stderr = /^$/): Promise<void> {
  const ended = await runChild("leave", [how]);
  assert.is(ended.signal, null, `${how}: killed by ${ended.signal}: ${ended.stderr}`);
  assert.is(ended.code, code, ended.stderr);
  assert.is(ended.stdout.trim(), stdout);
  assert.match(ended.stderr.trim(), stderr);
}

test("process.exit() in the middle of a run exits at once with its code", () => leaves("exit", 7));
for (const ms of [50, 100, 200]) test(`process.exit() ${ms} ms after the first prediction began`, () => leaves(`predict ${ms}`, 7));
test("an uncaught error in the middle of a run exits with code 1", () => leaves("throw", 1, "", /on purpose/));
test("a run that nobody waits for is finished before the process ends", () => leaves("finish", 0, "steps 5"));
test("worker.terminate() in the middle of a run", () => leaves("worker-terminate", 0, "steps 0"));
test("process.exit() of a worker in the middle of a run", () => leaves("worker-exit", 0, "steps 0"));
test("a worker that leaves does not disturb a run of the main thread", () => leaves("running-main", 0, "steps 20"));

test("two workers that train at once get what one thread gets", async () => {
  const ended = await runChild("trainInWorkers");
  assert.is(ended.code, 0, `${ended.signal} ${ended.stderr}`);
  const { workers, here } = JSON.parse(ended.stdout);
  assert.equal(workers, here);
  assert.is.not(here[0], here[1]);
});

test.run();
