/** The t with P(T < t) = `level`, above 1/2, for Student's T of `degrees` degrees of freedom, a whole number from 1 on; exact to rounding. Default level .95. */
export function studentQuantile(degrees: number, level = 0.95): number {
  let [low, high] = [0, 1];
  while (below(high, degrees) < level) high *= 2;
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (below(middle, degrees) < level) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/** P(T < t) for t > 0, by the finite sums for whole degrees of freedom (Abramowitz & Stegun 26.7.3 and 26.7.4). */
function below(t: number, degrees: number): number {
  const angle = Math.atan(t / Math.sqrt(degrees));
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  const odd = degrees % 2;
  let term = odd ? cosine : 1;
  let sum = degrees === 1 ? 0 : term;
  for (let k = odd + 2; k < degrees; k += 2) {
    term *= ((k - 1) / k) * cosine ** 2;
    sum += term;
  }
  return 1 / 2 + (odd ? (angle + sine * sum) / Math.PI : (sine * sum) / 2);
}
