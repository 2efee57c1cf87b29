// @ts-check
/** How often something is tried again, and how long after the last time. No DOM. */

/** A bounded row of attempts, each later than the one before and none at an exact time. */
export class Attempts {
  #made = 0;
  #most;
  #firstMs;
  #longestMs;
  #random;

  /** @param {{ most: number, firstMs: number, longestMs: number, random?: () => number }} parts */
  constructor({ most, firstMs, longestMs, random = Math.random }) {
    this.#most = most;
    this.#firstMs = firstMs;
    this.#longestMs = longestMs;
    this.#random = random;
  }

  get isOver() {
    return this.#made >= this.#most;
  }

  /** Milliseconds until the next attempt, which counts as made. */
  next() {
    const ms = Math.min(this.#firstMs * 2 ** this.#made, this.#longestMs);
    this.#made += 1;
    // Many pages lose the same server at the same moment.
    return Math.round(ms * (0.75 + this.#random() / 2));
  }

  reset() {
    this.#made = 0;
  }
}
