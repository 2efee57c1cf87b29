// @ts-check
/** Two soft notes, once or again and again; a browser that forbids sound plays nothing. */

const TONES_HZ = [440, 554];

export class Tone {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;
  /** @type {AudioContext | undefined} */
  #context;

  /** @param {number} everyMs */
  start(everyMs) {
    if (this.#timer) return;
    this.#timer = setInterval(() => this.play(), everyMs);
    this.play();
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  play() {
    this.#context ??= new AudioContext();
    const context = this.#context;
    if (context.state !== "running") return;
    TONES_HZ.forEach((pitch, index) => {
      const at = context.currentTime + index * 0.25;
      const note = new OscillatorNode(context, { frequency: pitch });
      const volume = new GainNode(context, { gain: 0.08 });
      note.connect(volume).connect(context.destination);
      note.start(at);
      note.stop(at + 0.2);
    });
  }
}
