import { webcrypto } from "node:crypto";

// Absent in the oldest Node that the checks run on.
globalThis.crypto ??= /** @type {Crypto} */ (webcrypto);

/** Let every promise that is ready go on. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

/** Timers that go off when the test says so. */
export class Timers {
  now = 0;
  #waiting = new Map();
  #last = 0;
  #real = { setTimeout: globalThis.setTimeout, clearTimeout: globalThis.clearTimeout };

  install() {
    globalThis.setTimeout = /** @type {any} */ (
      (act, ms = 0) => {
        this.#last += 1;
        this.#waiting.set(this.#last, { at: this.now + ms, act });
        return this.#last;
      }
    );
    globalThis.clearTimeout = /** @type {any} */ ((id) => this.#waiting.delete(id));
    return this;
  }

  restore() {
    Object.assign(globalThis, this.#real);
  }

  /** Milliseconds of the timers that wait, soonest first. */
  get pending() {
    return [...this.#waiting.values()].map(({ at }) => at - this.now).sort((a, b) => a - b);
  }

  /** Let time pass, and everything that follows from it. @param {number} ms */
  async pass(ms) {
    this.now += ms;
    for (const [id, { at, act }] of this.#waiting) {
      if (at > this.now) continue;
      this.#waiting.delete(id);
      act();
    }
    await settle();
  }
}
