// time limit: 900 s
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { runChild } from "../support/child.js";
import { pursuits } from "../support/doomed.js";

const test = suite("engine/terminate");

const WORKERS = 5; // `npm run soak` ends 200 of each

for (const pursuit of pursuits) {
  test(`${WORKERS} workers that end at any moment of ${pursuit}: no crash, nothing left, the main thread trains as before`, async () => {
    const child = await runChild("terminate", [pursuit, String(WORKERS)], {}, 300);
    assert.is(child.signal, null, `killed by ${child.signal}: ${child.stderr.slice(-3000)}`);
    assert.is(child.code, 0, child.stdout + child.stderr.slice(-3000));
  });
}

test.run();
