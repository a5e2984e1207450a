import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Generator, sparse } from "../../src/lie/generators/generator.js";
import { type AffineName, affine, translation } from "../../src/lie/generators/grids.js";
import { arrows, filmStrip, lineFlow, velocityField } from "../../src/report/flows.js";
import { pictures } from "./pixels.js";
import { assertWellFormed } from "./wellFormed.js";

const test = suite("report/flows");

const [P, Q] = [6, 8];
const fields: Record<AffineName, (x: number, y: number) => [number, number]> = {
  "translate-x": () => [1, 0],
  "translate-y": () => [0, 1],
  rotate: (x, y) => [-y, x],
  scale: (x, y) => [x, y],
  stretch: (x, y) => [x, -y],
  shear: (x, y) => [y, x],
};
/** Of a pixel, from the middle of a p x q grid. */
const position = (mu: number, p: number, q: number): [x: number, y: number] => [(mu % q) - (q - 1) / 2, Math.floor(mu / q) - (p - 1) / 2];

/** -v . grad by central differences, zero outside: another derivative than that of the generators and of the field. */
function differences(p: number, q: number, v: (x: number, y: number) => [number, number]): Generator {
  const entries: [number, number, number][] = [];
  for (let mu = 0; mu < p * q; mu++) {
    const [vx, vy] = v(...position(mu, p, q));
    if (mu % q > 0) entries.push([mu, mu - 1, vx / 2]);
    if (mu % q < q - 1) entries.push([mu, mu + 1, -vx / 2]);
    if (mu >= q) entries.push([mu, mu - q, vy / 2]);
    if (mu < (p - 1) * q) entries.push([mu, mu + q, -vy / 2]);
  }
  return sparse(
    p * q,
    entries.map(([row]) => row),
    entries.map(([, column]) => column),
    entries.map(([, , value]) => value),
  );
}

test("the field of every affine generator is its closed form, on a grid that is not square", () => {
  for (const [name, v] of Object.entries(fields) as [AffineName, (x: number, y: number) => [number, number]][]) {
    const field = velocityField(affine(P, Q, { only: [name] }).generators[0], P, Q);
    for (let mu = 0; mu < P * Q; mu++) {
      const [x, y] = v(...position(mu, P, Q));
      assert.ok(Math.hypot(field.x[mu] - x, field.y[mu] - y) < 1e-6, `${name} at ${mu}: ${field.x[mu]}, ${field.y[mu]}`);
    }
    assert.ok(Math.abs(field.explained - 1) < 1e-9, name);
  }
});

test("taken by central differences, the field of a rotation turns the same way about the centre", () => {
  const [p, q] = [9, 11];
  const field = velocityField(differences(p, q, fields.rotate), p, q);
  for (let mu = 0; mu < p * q; mu++) {
    const [x, y] = position(mu, p, q);
    const radius = Math.hypot(x, y);
    if (radius === 0 || Math.abs(x) > (q - 3) / 2 || Math.abs(y) > (p - 3) / 2) continue;
    const along = (-y * field.x[mu] + x * field.y[mu]) / radius;
    const across = (x * field.x[mu] + y * field.y[mu]) / radius;
    assert.ok(along > 0.6 * radius && along < 1.1 * radius, `${along} at radius ${radius}`);
    assert.ok(Math.abs(across) < 0.15 * radius, `${across} at radius ${radius}`);
  }
  assert.ok(field.explained > 0.95, String(field.explained));
});

test("what is no motion is not explained as one; nothing at all is no motion", () => {
  const places = Array.from({ length: P * Q }, (_, mu) => mu);
  const brighter = sparse(P * Q, places, places, places.map(() => 1)); // biome-ignore format: one call
  assert.ok(velocityField(brighter, P, Q).explained < 0.5, "below what the report calls a motion");
  const still = velocityField(sparse(P * Q, [0], [0], [0]), P, Q);
  assert.equal([still.explained, Math.max(...still.x, ...still.y)], [0, 0]);
});

test("arrows: one a place, no longer than the distance to the next, dots where nothing moves", () => {
  const count = (svg: string, name: string): number => [...svg.matchAll(new RegExp(`<${name} `, "g"))].length;
  for (const [p, q, places] of [
    [5, 7, 35],
    [30, 32, 10 * 11],
  ]) {
    const size = p * q;
    const moving = arrows({ x: new Float64Array(size).fill(2), y: new Float64Array(size), explained: 1 }, p, q, `a <b>&" title`);
    assertWellFormed(moving);
    assert.equal([count(moving, "path"), count(moving, "circle")], [places, 0]);
    for (const [, from, to] of moving.matchAll(/ d="M([\d.]+) [\d.]+L([\d.]+) /g)) {
      assert.ok(Number(to) > Number(from), "to the right");
      assert.ok(Number(to) - Number(from) < (240 / Math.max(p, q)) * Math.ceil(Math.max(p, q) / 15));
    }
    const still = arrows({ x: new Float64Array(size), y: new Float64Array(size), explained: 0 }, p, q, "still");
    assert.equal([count(still, "path"), count(still, "circle")], [0, places]);
    assert.not.match(still, "NaN");
  }
});

test("a film strip shows the flow: a translation carries the image along, a quarter turn turns it", () => {
  const n = 15;
  const strip = (name: AffineName, step: number): Uint8Array[] => {
    const svg = filmStrip(affine(n, n, { only: [name] }).generators[0], n, n, step, "film");
    assertWellFormed(svg);
    assert.match(svg, "t = 0");
    return pictures(svg).map(({ values }) => values);
  };
  const frames = strip("translate-x", 1);
  assert.is(frames.length, 5);
  for (const [k, values] of frames.entries()) {
    const far: number[] = [];
    for (let row = 0; row < n; row++) {
      for (let column = 3; column < n - 3; column++) far.push(Math.abs(values[row * n + column] - frames[2][row * n + column - (k - 2)]));
    }
    assert.ok(Math.max(...far) <= 12, `frame ${k} is the middle one, moved by ${k - 2}: off by ${Math.max(...far)}`);
  }
  const turned = strip("rotate", Math.PI / 2);
  const far = Array.from(turned[3], (value, mu) => {
    const [row, column] = [Math.floor(mu / n), mu % n];
    return Math.abs(value - turned[2][(n - 1 - column) * n + row]); // (x, y) came from (y, -x)
  });
  assert.ok(Math.max(...far) <= 12, String(Math.max(...far)));
  assert.ok(Math.max(...turned[2]) > 200 && Math.min(...turned[2]) < 5, "the image is not empty");
});

test("on a line the bump moves by t", () => {
  const n = 24;
  const svg = lineFlow(translation(n, 2 * n).generators[0], n, 2, "flow");
  assertWellFormed(svg);
  const tops = [...svg.matchAll(/<path d="([^"]*)"/g)].map(([, d]) => {
    const points = [...d.matchAll(/([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
    assert.is(points.length, n);
    return points.reduce((top, point) => (point[1] < top[1] ? point : top))[0];
  });
  const unit = (640 - 16 - 60) / (n - 1);
  for (const [k, top] of tops.entries())
    assert.ok(Math.abs(top - tops[2] - 2 * (k - 2) * unit) <= unit + 0.2, `${k}: ${top} against ${tops[2]}`);
});

test.run();
