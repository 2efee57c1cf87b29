// @ts-check
/** Whose picture is large, and whose are seen at all: the speaking and the latest ones. No DOM. */

export const MOST_SEEN = 4;
const SPEAKS_FROM = 0.01;
// A cough does not take the large picture.
const HOLD_MS = 1500;

/** Who has spoken when; each place changes only when it has to. */
export class StageOrder {
  /** @type {Map<string, number>} */
  #spokeAt = new Map();
  /** @type {Map<string, number>} */
  #since = new Map();
  /** @type {string[]} */
  #seen = [];
  #large = "";

  /** @param {string} participant @param {number} level 0 to 1 @param {number} now */
  heard(participant, level, now) {
    if (level < SPEAKS_FROM) {
      this.#since.delete(participant);
      return;
    }
    this.#since.set(participant, this.#since.get(participant) ?? now);
    this.#spokeAt.set(participant, now);
  }

  /**
   * @param {string[]} participants in the order of their coming
   * @param {number} now
   * @returns {{ large: string, seen: string[] }}
   */
  arrange(participants, now) {
    const last = (/** @type {string} */ each) => this.#spokeAt.get(each) ?? -Infinity;
    const place = (/** @type {string} */ each) => participants.indexOf(each);
    const ranked = [...participants].sort((one, other) => last(other) - last(one) || place(other) - place(one));
    const wanted = new Set(ranked.slice(0, MOST_SEEN));
    const kept = this.#seen.filter((each) => wanted.has(each));
    this.#seen = [...kept, ...ranked.filter((each) => wanted.has(each) && !kept.includes(each))];
    const speaking = ranked.find((each) => {
      const since = this.#since.get(each);
      return since !== undefined && now - since >= HOLD_MS;
    });
    const stays = participants.includes(this.#large) && wanted.has(this.#large);
    this.#large = speaking ?? (stays ? this.#large : (participants[0] ?? ""));
    if (this.#large && !wanted.has(this.#large)) this.#large = this.#seen[0] ?? "";
    return { large: this.#large, seen: this.#seen };
  }
}
