// @ts-check
/**
 * Sharp pictures on request: one camera frame at full resolution, and what becomes of a request on
 * either side. Speech goes first: a picture waits on the device while the link is weak. No page.
 */
import { LiveError } from "./live.js";

/**
 * @typedef {import("./seat.js").LogEvent} LogEvent
 * @typedef {import("./ladder.js").Rung} Rung
 * @typedef {"waiting" | "taken" | "declined" | "failed"} Outcome
 * @typedef {{ number: number, name: string, to: string, outcome: Outcome | null, isStale: boolean }} Ask
 * @typedef {{ ask: number, outcome: Outcome, file?: string }} Answer
 * @typedef {"" | "taking" | "waiting" | "sending"} Step
 * @typedef {{ width: number, height: number }} Size
 *
 * What a camera is asked through; the browser's own unless a test says otherwise.
 * @typedef {object} CameraParts
 * @property {(track: MediaStreamTrack, least: Size, patience: number) => Promise<Blob>} [frame]
 * @property {(track: MediaStreamTrack) => Photographer | null} [photographer]
 * @typedef {{ getPhotoCapabilities(): Promise<any>, takePhoto(settings: object): Promise<Blob> }} Photographer
 */

/** The whole of one picture, sharp enough to read a thermometer, small enough for a weak line. */
const JPEG_QUALITY = 0.9;
const FRAME_PATIENCE_MS = 10_000;
const LOOK_EVERY_MS = 50;
const UPLOAD_PATIENCE_MS = 300_000;
const TRY_AGAIN_MS = 5000;
/** As long as the server has the next request wait for this one. */
export const OPEN_FOR_MS = 180_000;
const FINAL = new Set(["taken", "declined", "failed"]);
const WEAK = new Set(["voice", "written"]);

/**
 * One picture of a camera at the most it can give. The track goes on being sent meanwhile, and has
 * its own size back afterwards.
 * @param {MediaStreamTrack} track
 * @param {CameraParts} [parts]
 */
export async function takeSharp(track, { frame = frameOf, photographer = photographerOf } = {}) {
  const before = track.getConstraints();
  const { width, height } = mostOf(track);
  try {
    if (width && height) {
      await track.applyConstraints({ ...before, width: { ideal: width }, height: { ideal: height } });
    }
    const photo = await photoOf(track, photographer);
    if (photo) return photo;
    const { width: wide = 1, height: high = 1 } = track.getSettings();
    return await frame(track, { width: wide, height: high }, FRAME_PATIENCE_MS);
  } finally {
    // A camera that was pulled out meanwhile has nothing to give back.
    await track.applyConstraints(before).catch(() => {});
  }
}

/** @param {MediaStreamTrack} track */
function mostOf(track) {
  // Firefox of some years ago does not tell what a camera can do.
  const { width, height } = track.getCapabilities?.() ?? {};
  return { width: width?.max, height: height?.max };
}

/** @param {MediaStreamTrack} track @returns {Photographer | null} */
function photographerOf(track) {
  const Capture = /** @type {any} */ (globalThis).ImageCapture;
  return Capture ? new Capture(track) : null;
}

/**
 * A photograph, where the camera makes better ones than its moving picture; null where not.
 * @param {MediaStreamTrack} track
 * @param {(track: MediaStreamTrack) => Photographer | null} photographer
 */
async function photoOf(track, photographer) {
  try {
    const camera = photographer(track);
    const can = await camera?.getPhotoCapabilities();
    const [imageWidth, imageHeight] = [can?.imageWidth?.max ?? 0, can?.imageHeight?.max ?? 0];
    const { width = 0, height = 0 } = track.getSettings();
    if (!camera || imageWidth * imageHeight <= width * height) return null;
    return await within(FRAME_PATIENCE_MS, camera.takePhoto({ imageWidth, imageHeight }));
  } catch {
    // A driver that promises photographs and gives none still gives frames.
    return null;
  }
}

/**
 * @template T
 * @param {number} ms
 * @param {Promise<T>} promise
 * @returns {Promise<T>}
 */
async function within(ms, promise) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  const limit = new Promise((_, refuse) => {
    timer = setTimeout(refuse, ms);
  });
  try {
    return await /** @type {Promise<T>} */ (Promise.race([promise, limit]));
  } finally {
    clearTimeout(timer);
  }
}

/**
 * The next frame that has the size which the camera was set to.
 * @param {MediaStreamTrack} track
 * @param {Size} least
 * @param {number} patience (ms)
 * @returns {Promise<Blob>}
 */
async function frameOf(track, least, patience) {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.srcObject = new MediaStream([track]);
  try {
    await video.play();
    const end = performance.now() + patience;
    while (video.videoWidth < least.width || video.videoHeight < least.height) {
      // A camera that does not keep its word gives what it has.
      if (performance.now() > end && video.videoWidth > 0) break;
      if (performance.now() > end || track.readyState === "ended") throw new Error("no frame");
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    return await encode(video);
  } finally {
    video.srcObject = null;
  }
}

/** @param {HTMLVideoElement} video @returns {Promise<Blob>} */
function encode(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  return new Promise((resolve, refuse) => {
    const done = (/** @type {Blob | null} */ blob) => (blob ? resolve(blob) : refuse(new Error("no picture")));
    canvas.toBlob(done, "image/jpeg", JPEG_QUALITY);
  });
}

/** The server has the picture and does not want it; trying again changes nothing. */
export class PictureRefused extends Error {}

/**
 * Add a picture to a case, as any attachment.
 * @param {string} consult
 * @param {Blob} picture
 * @param {string} caption
 * @param {AbortSignal} signal
 * @returns {Promise<string>} the id of the file
 */
export async function uploadPicture(consult, picture, caption, signal) {
  const form = new FormData();
  form.append("caption", caption);
  form.append("file", picture, "camera");
  const limit = AbortSignal.timeout(UPLOAD_PATIENCE_MS);
  const stop = new AbortController();
  for (const each of [limit, signal]) each.addEventListener("abort", () => stop.abort());
  const answer = await fetch(`/consults/${consult}/attachments`, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: form,
    signal: stop.signal,
  });
  const data = await answer.json();
  if (answer.ok) return data.uid;
  if (answer.status >= 500 || answer.status === 429) throw new Error(data.code);
  throw new PictureRefused(data.message);
}

/**
 * @typedef {object} PicturesParts
 * @property {(to: string) => Promise<unknown>} ask
 * @property {(answer: Answer) => Promise<unknown>} answer Raises LiveError.
 * @property {() => Promise<Blob>} take
 * @property {(picture: Blob, signal: AbortSignal) => Promise<string>} upload
 * @property {() => Rung} rung
 * @property {() => void} onChange
 * @property {(what: "camera" | "refused", words: string) => void} onTrouble
 */

/** The requests of one session, as this page has to do with them. */
export class Pictures {
  #parts;
  #own = "";
  /** @type {Map<number, Ask>} */
  #asks = new Map();
  /** @type {Step} */
  #step = "";
  /** @type {Blob | null} */
  #held = null;
  #isUrgent = false;
  #stop = new AbortController();
  /** Said, and not yet known to have arrived. @type {Answer[]} */
  #unsaid = [];

  /** @param {PicturesParts} parts */
  constructor(parts) {
    this.#parts = parts;
  }

  /** What is going on with the picture that this page was asked for. */
  get step() {
    return this.#step;
  }

  /** The newest open request to this page. */
  get asked() {
    return this.#newest((ask) => ask.to === this.#own);
  }

  /** The request to somebody that still keeps the next one waiting. @param {string} to */
  asking(to) {
    return this.#newest((ask) => ask.to === to && !ask.isStale);
  }

  /** @param {(ask: Ask) => boolean} isMeant @returns {Ask | null} */
  #newest(isMeant) {
    const open = [...this.#asks.values()].filter(isMeant).at(-1) ?? null;
    return open && !FINAL.has(open.outcome ?? "") ? open : null;
  }

  /** Inside, again or for the first time. @param {string} participant */
  joined(participant) {
    this.#own = participant;
    const unsaid = this.#unsaid;
    this.#unsaid = [];
    for (const answer of unsaid) void this.#say(answer);
    this.look();
  }

  /** @param {LogEvent} event */
  gotEvent({ kind, number, name, data }) {
    if (kind === "picture_asked") {
      const ask = { number, name: name ?? "", to: data.to, outcome: null, isStale: false };
      this.#asks.set(number, ask);
      setTimeout(() => {
        ask.isStale = true;
        this.#parts.onChange();
      }, OPEN_FOR_MS);
    }
    const ask = this.#asks.get(data.ask);
    if (kind === "picture_answered" && ask) ask.outcome = data.outcome;
  }

  /** @param {string} to */
  ask(to) {
    return this.#parts.ask(to);
  }

  /** The one press of whoever sits at the camera. */
  async give() {
    if (!this.asked || this.#step) return;
    this.#isUrgent = false;
    this.#be("taking");
    try {
      this.#held = await this.#parts.take();
    } catch {
      this.#end("failed");
      this.#parts.onTrouble("camera", "");
      return;
    }
    await this.#send();
  }

  /** Not now; also for a picture that is waiting. */
  decline() {
    if (!this.asked) return;
    this.#stop.abort();
    this.#end("declined");
  }

  /** However weak the link is. */
  sendNow() {
    this.#isUrgent = true;
    return this.#send();
  }

  /** The link has changed. */
  look() {
    if (this.#step === "sending" && this.#mustWait) this.#stop.abort();
    if (this.#step === "waiting") void this.#send();
  }

  /** Out of the room: what was not sent is forgotten, as nobody watches over it any more. */
  close() {
    this.#stop.abort();
    this.#held = null;
    this.#be("");
  }

  get #mustWait() {
    return !this.#isUrgent && WEAK.has(this.#parts.rung());
  }

  async #send() {
    const ask = this.asked;
    if (!this.#held || !ask || this.#step === "sending") return;
    if (this.#mustWait) return this.#wait(ask);
    this.#be("sending");
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    try {
      const file = await this.#parts.upload(this.#held, signal);
      this.#end("taken", file);
    } catch (error) {
      // Declined, or out of the room, while it was on its way.
      if (!this.#held) return;
      if (error instanceof PictureRefused) {
        this.#end("failed");
        this.#parts.onTrouble("refused", error.message);
        return;
      }
      this.#wait(ask);
      setTimeout(() => this.look(), TRY_AGAIN_MS);
    }
  }

  /** @param {Ask} ask */
  #wait(ask) {
    this.#be("waiting");
    if (ask.outcome === "waiting") return;
    ask.outcome = "waiting";
    void this.#say({ ask: ask.number, outcome: "waiting" });
  }

  /** @param {Outcome} outcome @param {string} [file] */
  #end(outcome, file) {
    this.#held = null;
    const ask = this.asked;
    if (ask) {
      ask.outcome = outcome;
      void this.#say({ ask: ask.number, outcome, ...(file && { file }) });
    }
    this.#be("");
  }

  /** @param {Step} step */
  #be(step) {
    this.#step = step;
    this.#parts.onChange();
  }

  /** @param {Answer} answer */
  async #say(answer) {
    try {
      await this.#parts.answer(answer);
    } catch (error) {
      if (!(error instanceof LiveError)) throw error;
      // Said again by the join that follows; a refusal is final.
      if (error.isUnanswered || error.isPassing) this.#unsaid.push(answer);
    }
  }
}
