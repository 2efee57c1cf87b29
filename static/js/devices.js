// @ts-check
/**
 * Camera and microphone: open, choose, remember, notice changes, and say clearly what is wrong.
 * No DOM.
 */

/**
 * @typedef {"audio" | "video"} TrackKind
 * @typedef {"denied" | "absent" | "busy" | "insecure" | "failed"} ProblemKind
 * @typedef {{ id: string, label: string }} Device
 * @typedef {{ track: MediaStreamTrack | null, problem: ProblemKind | null }} Opened
 * @typedef {Pick<MediaDevices, "getUserMedia" | "enumerateDevices" | "addEventListener" | "removeEventListener">} MediaSource
 */

const REMEMBERED_UNDER = { audio: "telemed.microphone", video: "telemed.camera" };
const INPUT = { audio: "audioinput", video: "videoinput" };
/** @type {Record<string, ProblemKind>} */
const PROBLEMS = {
  NotAllowedError: "denied",
  SecurityError: "denied",
  NotFoundError: "absent",
  OverconstrainedError: "absent",
  NotReadableError: "busy",
  AbortError: "busy",
};
/** @type {MediaTrackConstraints} */
const SOUND = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
/** @type {MediaTrackConstraints} */
const PICTURE = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 30 } };

/** The devices of this machine. */
export class Devices {
  #media;
  #storage;

  /** @param {{ media?: MediaSource | undefined, storage?: Storage }} [parts] */
  constructor({ media = navigator.mediaDevices, storage = localStorage } = {}) {
    // Absent on a page that came over plain HTTP from another machine.
    this.#media = media;
    this.#storage = storage;
  }

  /**
   * Open microphone and camera with one question to the person; if that fails, each by itself, so
   * that a broken camera does not cost the voice.
   * @returns {Promise<Record<TrackKind, Opened>>}
   */
  async openBoth() {
    try {
      const stream = await this.#ask({
        audio: this.#wish("audio"),
        video: this.#wish("video"),
      });
      return {
        audio: { track: stream.getAudioTracks()[0] ?? null, problem: null },
        video: { track: stream.getVideoTracks()[0] ?? null, problem: null },
      };
    } catch {
      return { audio: await this.open("audio"), video: await this.open("video") };
    }
  }

  /**
   * Open one device: the one asked for, or the remembered one, or any.
   * @param {TrackKind} kind
   * @param {string} [id]
   * @returns {Promise<Opened>}
   */
  async open(kind, id = "") {
    try {
      const stream = await this.#ask({ [kind]: this.#wish(kind, id) });
      if (id) this.#storage.setItem(REMEMBERED_UNDER[kind], id);
      return { track: stream.getTracks()[0] ?? null, problem: null };
    } catch (error) {
      return { track: null, problem: problemOf(error) };
    }
  }

  /**
   * What there is to choose from; labels are empty until a device of the kind was allowed once.
   * @param {TrackKind} kind
   * @returns {Promise<Device[]>}
   */
  async list(kind) {
    const all = (await this.#media?.enumerateDevices()) ?? [];
    return all
      .filter((device) => device.kind === INPUT[kind] && device.deviceId)
      .map(({ deviceId, label }) => ({ id: deviceId, label }));
  }

  /**
   * Hear of devices that are plugged in or pulled out.
   * @param {() => void} listener
   * @returns {() => void} undo
   */
  onChange(listener) {
    this.#media?.addEventListener("devicechange", listener);
    return () => this.#media?.removeEventListener("devicechange", listener);
  }

  /** @param {MediaStreamConstraints} wishes */
  #ask(wishes) {
    if (!this.#media) throw new DOMException("insecure page", "InsecureError");
    return this.#media.getUserMedia(wishes);
  }

  /**
   * @param {TrackKind} kind
   * @param {string} [id] must be this one; the remembered one is only preferred
   * @returns {MediaTrackConstraints}
   */
  #wish(kind, id = "") {
    const remembered = this.#storage.getItem(REMEMBERED_UNDER[kind]);
    const which = id ? { exact: id } : remembered ? { ideal: remembered } : undefined;
    return { ...(kind === "audio" ? SOUND : PICTURE), ...(which && { deviceId: which }) };
  }
}

/**
 * @param {unknown} error
 * @returns {ProblemKind}
 */
function problemOf(error) {
  const name = error instanceof DOMException ? error.name : "";
  return name === "InsecureError" ? "insecure" : (PROBLEMS[name] ?? "failed");
}
