import { suite } from "uvu";
import * as assert from "uvu/assert";
import { studentQuantile } from "../../src/symmetry/student.js";

const test = suite("symmetry/student");

test("Student's quantiles are those of the tables, for the smallest degrees of freedom, too", () => {
  const tabled = [
    [1, 6.3138, 12.7062],
    [2, 2.92, 4.3027],
    [3, 2.3534, 3.1824],
    [4, 2.1318, 2.7764],
    [5, 2.015, 2.5706],
    [7, 1.8946, 2.3646],
    [9, 1.8331, 2.2622],
    [10, 1.8125, 2.2281],
    [20, 1.7247, 2.086],
    [30, 1.6973, 2.0423],
    [120, 1.6577, 1.9799],
    [100_000, 1.6449, 1.96],
  ];
  for (const [degrees, at95, at975] of tabled as [number, number, number][]) {
    assert.ok(Math.abs(studentQuantile(degrees) - at95) < 6e-5, `${degrees}: ${studentQuantile(degrees)}`);
    assert.ok(Math.abs(studentQuantile(degrees, 0.975) - at975) < 6e-5, `${degrees}: ${studentQuantile(degrees, 0.975)}`);
  }
  assert.ok(Math.abs(studentQuantile(3, 0.995) - 5.8409) < 6e-5);
});

test.run();
