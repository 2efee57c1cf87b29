// @ts-check
/**
 * Looking for a card with the camera: on this device where the browser reads codes itself, else by
 * the server, which gets a small grey square of the picture at a bounded pace. No DOM.
 */
import { ApiError } from "./api.js";
import { isCardLike } from "./cards.js";
import { problemOf } from "./devices.js";

const LOOK_EVERY_MS = 200;
const SEND_EVERY_MS = 700;
const PATIENCE_MS = 30_000;
// A detector that a device only pretends to have fails every time.
const MOST_FAILURES = 5;
/** @type {MediaStreamConstraints} */
const WISHES = { video: { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } } };

/**
 * @typedef {import("./devices.js").ProblemKind} ProblemKind
 * @typedef {{ fields: Record<string, string>, existing: { name: string, url: string } | null }} Answer
 * @typedef {{ text: string } | { answer: Answer }} Card What was read here, or what the server read.
 * @typedef {{ detect(source: CanvasImageSource): Promise<{ rawValue: string }[]> }} Detector
 * @typedef {Pick<HTMLVideoElement, "play"> & { srcObject: MediaProvider | null }} Screen
 *
 * @typedef {"opening" | "looking" | "strange" | "link" | "tired" | "refused" | ProblemKind} State
 *   strange: a code that is no card; link: no answer, it is tried again; from `tired` on it is over.
 *
 * @typedef {object} Parts
 * @property {Screen} video
 * @property {Pick<MediaDevices, "getUserMedia">} [media]
 * @property {Detector | null} detector Null where the browser reads no codes.
 * @property {() => Promise<Blob | null>} grab The square to send, null while there is no picture.
 * @property {(picture: Blob, signal: AbortSignal) => Promise<Answer>} ask
 * @property {() => number} [now]
 *
 * @typedef {object} Listeners
 * @property {(card: Card) => void} onCard The camera is off by then.
 * @property {(state: State, words: string) => void} onState Words come from the server, or are "".
 */

export class CardCamera {
  #parts;
  #to;
  #detector;
  #failures = 0;
  #asked = 0;
  #now;
  #round = new AbortController();
  /** @type {MediaStream | null} */
  #stream = null;

  /** @param {Parts} parts @param {Listeners} listeners */
  constructor(parts, listeners) {
    this.#parts = parts;
    this.#to = listeners;
    this.#detector = parts.detector;
    this.#now = parts.now ?? (() => performance.now());
  }

  /** Whether pictures go to the server. */
  get isRemote() {
    return this.#detector === null;
  }

  /** Ask for the camera and look until there is a card, an end, or nobody who waits. */
  async open() {
    this.close();
    const { signal } = (this.#round = new AbortController());
    this.#to.onState("opening", "");
    try {
      const media = this.#parts.media ?? navigator.mediaDevices;
      const stream = await media.getUserMedia(WISHES);
      // Closed while the person was being asked.
      if (signal.aborted) return stop(stream);
      this.#stream = stream;
      for (const track of stream.getTracks()) {
        track.addEventListener("ended", () => signal.aborted || this.#end("busy"));
      }
      this.#parts.video.srcObject = stream;
      await this.#parts.video.play();
    } catch (error) {
      if (!signal.aborted) this.#end(problemOf(error));
      return;
    }
    if (signal.aborted) return;
    this.#to.onState("looking", "");
    await this.#look(signal);
  }

  /** The light of the camera goes out at once, and what is on its way is given up. */
  close() {
    this.#round.abort();
    if (this.#stream) stop(this.#stream);
    this.#stream = null;
    this.#parts.video.srcObject = null;
  }

  /** @param {AbortSignal} signal */
  async #look(signal) {
    const deadline = this.#now() + PATIENCE_MS;
    while (!signal.aborted) {
      this.#asked = this.#now();
      const isRemote = this.isRemote;
      const { card = null, wait = 0 } = isRemote ? await this.#readThere(signal) : await this.#readHere(signal);
      if (signal.aborted) return;
      if (card) {
        this.close();
        return this.#to.onCard(card);
      }
      const now = this.#now();
      const pause = Math.max(wait, (isRemote ? SEND_EVERY_MS : LOOK_EVERY_MS) - (now - this.#asked), 0);
      if (now + pause >= deadline) return this.#end("tired");
      await rest(pause, signal);
    }
  }

  /** @param {AbortSignal} signal @returns {Promise<{ card?: Card, wait?: number }>} */
  async #readHere(signal) {
    try {
      const codes = (await this.#detector?.detect(/** @type {any} */ (this.#parts.video))) ?? [];
      this.#failures = 0;
      const texts = codes.map((code) => code.rawValue);
      const text = texts.find(isCardLike);
      if (text) return { card: { text } };
      if (texts.length && !signal.aborted) this.#to.onState("strange", "");
    } catch {
      this.#failures += 1;
      if (this.#failures >= MOST_FAILURES) this.#detector = null;
      if (this.isRemote && !signal.aborted) this.#to.onState("looking", "");
    }
    return {};
  }

  /** @param {AbortSignal} signal @returns {Promise<{ card?: Card, wait?: number }>} */
  async #readThere(signal) {
    const picture = await this.#parts.grab();
    if (!picture || signal.aborted) return {};
    this.#asked = this.#now();
    try {
      return { card: { answer: await this.#parts.ask(picture, signal) } };
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return signal.aborted ? {} : this.#gotRefusal(error);
    }
  }

  /** @param {ApiError} error */
  #gotRefusal(error) {
    if (error.isUnanswered) {
      this.#to.onState("link", error.message);
      return { wait: error.retryAfterSeconds * 1000 };
    }
    if (error.code === "qr_absent" || error.fields.picture) this.#to.onState("looking", "");
    else if (error.status === 422) this.#to.onState("strange", error.message);
    else this.#end("refused", error.message);
    return {};
  }

  /** @param {State} state */
  #end(state, words = "") {
    this.close();
    this.#to.onState(state, words);
  }
}

/** @param {MediaStream} stream */
function stop(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** @param {number} ms @param {AbortSignal} signal */
function rest(ms, signal) {
  return new Promise((resolve) => {
    const wake = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", wake);
      resolve(undefined);
    };
    const timer = setTimeout(wake, ms);
    signal.addEventListener("abort", wake, { once: true });
  });
}
