// @ts-check
/**
 * From one connection with somebody to another: the picture changes at the first frame of the new
 * one, the voice is cross-faded once the new one is heard. No DOM.
 */

const FADE_MS = 40;
const FADE_STEP_MS = 8;
const LOOK_EVERY_MS = 40;
const PATIENCE_MS = 5000;
// 60 ms of voice, so that the fade does not begin on an empty buffer.
const ENOUGH_SAMPLES = 2880;

/**
 * @typedef {object} Way What comes from somebody through one connection.
 * @property {object} origin The connection.
 * @property {() => Promise<number>} heard Samples of voice that have been played, none of them made up.
 * @property {() => boolean} hasPicture A frame has been shown.
 * @property {() => void} showPicture In place of the one before.
 * @property {(volume: number) => void} setVolume 0 to 1
 * @property {() => boolean} isOver Nothing will come of it any more.
 * @property {() => void} drop
 *
 * @typedef {object} HandoverParts
 * @property {(origin: object) => void} onShown Everything comes this way from now on.
 * @property {() => boolean} expectsPicture False while the other's camera is off.
 * @property {() => number} [now]
 * @property {(act: () => void, ms: number) => unknown} [wait]
 */

/** What is seen and heard of one participant, and what takes its place. */
export class Handover {
  #parts;
  /** @type {Way | null} */
  #picture = null;
  /** @type {Way | null} */
  #voice = null;
  /** @type {Way | null} */
  #next = null;
  #since = 0;

  /** @param {HandoverParts} parts */
  constructor(parts) {
    this.#parts = {
      now: () => performance.now(),
      wait: (/** @type {() => void} */ act, /** @type {number} */ ms) => setTimeout(act, ms),
      ...parts,
    };
  }

  /** @param {Way} way */
  take(way) {
    const before = this.#next;
    this.#next = way;
    if (before) this.#dropUnused(before);
    this.#since = this.#parts.now();
    if (!this.#voice || !this.#picture) {
      this.#voice = way;
      this.#picture = way;
      way.setVolume(1);
      way.showPicture();
      return this.#done(way);
    }
    way.setVolume(0);
    void this.#look(way);
  }

  drop() {
    for (const way of new Set([this.#picture, this.#voice, this.#next])) way?.drop();
    this.#picture = this.#voice = this.#next = null;
  }

  /** @param {Way} way */
  async #look(way) {
    if (this.#next !== way) return;
    const isLate = this.#parts.now() - this.#since >= PATIENCE_MS;
    const samples = await way.heard();
    if (this.#next !== way) return;
    if (this.#picture !== way && (way.hasPicture() || isLate || !this.#parts.expectsPicture())) {
      this.#swapPicture(way);
    }
    if (this.#voice !== way && (samples >= ENOUGH_SAMPLES || isLate || this.#voice?.isOver())) this.#fade(way);
    if (this.#voice === way && this.#picture === way) this.#done(way);
    else this.#parts.wait(() => void this.#look(way), LOOK_EVERY_MS);
  }

  /** @param {Way} way */
  #swapPicture(way) {
    const before = this.#picture;
    this.#picture = way;
    way.showPicture();
    if (before) this.#dropUnused(before);
  }

  /** @param {Way} way */
  #fade(way) {
    const before = this.#voice;
    this.#voice = way;
    const begun = this.#parts.now();
    const step = () => {
      const share = Math.min(1, (this.#parts.now() - begun) / FADE_MS);
      way.setVolume(share);
      before?.setVolume(1 - share);
      if (share < 1) this.#parts.wait(step, FADE_STEP_MS);
      else if (before) this.#dropUnused(before);
    };
    step();
  }

  /** @param {Way} way */
  #done(way) {
    this.#next = null;
    this.#parts.onShown(way.origin);
  }

  /** @param {Way} way */
  #dropUnused(way) {
    if (way !== this.#picture && way !== this.#voice && way !== this.#next) way.drop();
  }
}
