// @ts-check
/** Plays files side by side that are pieces of one time line. No DOM beyond what a media element is. */

/**
 * The part of a media element that is used here.
 * @typedef {object} Player
 * @property {number} currentTime
 * @property {boolean} paused
 * @property {boolean} [seeking]
 * @property {() => Promise<void>} play
 * @property {() => void} pause
 *
 * @typedef {{ player: Player, offset: number, duration: number }} Take Offset and duration in seconds.
 */

// Less is not heard; a correction is.
const STEP_SECONDS = 0.15;

/** One time line over all files: each plays while it has something there. */
export class TogetherPlayer {
  #takes;
  #position = 0;
  #isPlaying = false;

  /** @param {Take[]} takes */
  constructor(takes) {
    this.#takes = takes;
  }

  get duration() {
    return Math.max(0, ...this.#takes.map(({ offset, duration }) => offset + duration));
  }

  get position() {
    return this.#position;
  }

  get isPlaying() {
    return this.#isPlaying;
  }

  /** @param {number} seconds */
  seek(seconds) {
    this.#position = Math.min(Math.max(0, seconds), this.duration);
    for (const take of this.#takes) {
      take.player.currentTime = Math.min(Math.max(0, this.#position - take.offset), take.duration);
    }
  }

  play() {
    if (this.#position >= this.duration) this.seek(0);
    this.#isPlaying = true;
    this.#align();
  }

  pause() {
    this.#isPlaying = false;
    for (const { player } of this.#takes) player.pause();
  }

  /** Call it a few times a second, with the seconds since the last call. @param {number} passed */
  tick(passed) {
    if (!this.#isPlaying) return;
    const leader = this.#takes.find((take) => this.#covers(take) && !take.player.paused);
    // Where nobody has anything, time goes on all the same.
    const next = leader ? leader.player.currentTime + leader.offset : this.#position + passed;
    this.#position = Math.min(next, this.duration);
    if (this.#position >= this.duration) this.pause();
    else this.#align();
  }

  /** @param {Take} take */
  #covers({ offset, duration }) {
    return this.#position >= offset && this.#position < offset + duration;
  }

  #align() {
    for (const take of this.#takes) {
      const { player, offset } = take;
      if (!this.#covers(take)) {
        if (!player.paused) player.pause();
        continue;
      }
      const due = this.#position - offset;
      if (!player.seeking && Math.abs(player.currentTime - due) > STEP_SECONDS) player.currentTime = due;
      // Refused or interrupted: the next tick tries again.
      if (player.paused) player.play().catch(() => {});
    }
  }
}
