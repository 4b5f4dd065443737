// When to try again. No DOM here.

const FIRST_MS = 500;
const LONGEST_MS = 15_000;

/** Waits that double, each spread by a half, so that many pages do not come back at one moment. */
export class Backoff {
  #tries = 0;

  /** How long to wait before the next try, ms. */
  next(random = Math.random()) {
    const whole = Math.min(FIRST_MS * 2 ** this.#tries++, LONGEST_MS);
    return whole * (0.5 + random / 2);
  }

  /** It worked. */
  reset() {
    this.#tries = 0;
  }
}
