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

  /** @param {{ media?: MediaSource | null, storage?: Pick<Storage, "getItem" | "setItem" | "removeItem"> }} [parts] */
  constructor({ media = navigator.mediaDevices ?? null, storage = localStorage } = {}) {
    // Null on a page that came over plain HTTP from another machine.
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
      const problem = problemOf(error);
      if (problem !== "absent" || id || !this.#remembered(kind)) return { track: null, problem };
      // The remembered one is no longer there.
      this.#storage.removeItem(REMEMBERED_UNDER[kind]);
      return this.open(kind);
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
   * @param {string} [id]
   * @returns {MediaTrackConstraints}
   */
  #wish(kind, id = "") {
    const exact = id || this.#remembered(kind);
    return { ...(kind === "audio" ? SOUND : PICTURE), ...(exact && { deviceId: { exact } }) };
  }

  /** @param {TrackKind} kind */
  #remembered(kind) {
    return this.#storage.getItem(REMEMBERED_UNDER[kind]) ?? "";
  }
}

/**
 * What a refusal of `getUserMedia` means.
 * @param {unknown} error
 * @returns {ProblemKind}
 */
export function problemOf(error) {
  const name = error instanceof DOMException ? error.name : "";
  return name === "InsecureError" ? "insecure" : (PROBLEMS[name] ?? "failed");
}

/**
 * @typedef {{ muted: boolean, camera_off: boolean }} OwnState
 *
 * @typedef {object} OwnListeners
 * @property {(kind: TrackKind, track: MediaStreamTrack | null) => void} onTrack What is sent from now on.
 * @property {(state: OwnState) => void} onState
 * @property {(kind: TrackKind, problem: ProblemKind | null) => void} onProblem Null when it is solved.
 */

/** The own microphone and camera during a call: on, off, another one, pulled out. */
export class OwnMedia {
  #devices;
  #to;
  /** @type {Record<TrackKind, MediaStreamTrack | null>} */
  #tracks = { audio: null, video: null };
  #isMuted = false;
  #isPictureOff = false;
  #isClosed = false;
  #storage;
  #keptUnder;

  /**
   * @param {Devices} devices
   * @param {OwnListeners} listeners
   * @param {{ storage: Pick<Storage, "getItem" | "setItem">, under: string } | null} [kept] where it
   *   is kept what has been switched off, so that nobody is heard or seen because a page was loaded anew
   */
  constructor(devices, listeners, kept = null) {
    this.#devices = devices;
    this.#to = listeners;
    this.#storage = kept?.storage;
    this.#keptUnder = kept?.under ?? "";
    const off = this.#storage?.getItem(this.#keptUnder)?.split(" ") ?? [];
    this.#isMuted = off.includes("audio");
    this.#isPictureOff = off.includes("video");
  }

  /** @returns {OwnState} */
  get state() {
    return { muted: this.#isMuted || !this.#tracks.audio, camera_off: !this.#tracks.video };
  }

  /** The device that is in use, "" for none. @param {TrackKind} kind */
  deviceOf(kind) {
    return this.#tracks[kind]?.getSettings().deviceId ?? "";
  }

  async start() {
    this.#isClosed = false;
    if (this.#isPictureOff) this.#use("audio", await this.#devices.open("audio"));
    else {
      const { audio, video } = await this.#devices.openBoth();
      this.#use("audio", audio);
      this.#use("video", video);
    }
    this.#to.onState(this.state);
  }

  /** Voice off keeps the device, so that it is back at once; without a device it is tried again. */
  async toggleVoice() {
    if (this.#tracks.audio) {
      this.#isMuted = !this.#isMuted;
      this.#tracks.audio.enabled = !this.#isMuted;
    } else {
      this.#isMuted = false;
      this.#use("audio", await this.#devices.open("audio"));
    }
    this.#keep();
    this.#to.onState(this.state);
  }

  /** Picture off gives the camera back, so that its light goes out. */
  async togglePicture() {
    this.#isPictureOff = Boolean(this.#tracks.video);
    this.#keep();
    if (this.#isPictureOff) this.#put("video", null);
    else this.#use("video", await this.#devices.open("video"));
    this.#to.onState(this.state);
  }

  /**
   * Go on with another device; the old one stays if that does not work.
   * @param {TrackKind} kind
   * @param {string} id
   */
  async choose(kind, id) {
    const opened = await this.#devices.open(kind, id);
    if (opened.track) {
      if (kind === "video") this.#isPictureOff = false;
      this.#keep();
      this.#use(kind, opened);
    } else this.#to.onProblem(kind, opened.problem);
    this.#to.onState(this.state);
  }

  close() {
    this.#isClosed = true;
    this.#put("audio", null);
    this.#put("video", null);
  }

  /**
   * @param {TrackKind} kind
   * @param {Opened} opened
   */
  #use(kind, { track, problem }) {
    if (this.#isClosed) {
      track?.stop();
      return;
    }
    this.#put(kind, track);
    this.#to.onProblem(kind, problem);
    // Pulled out, or taken by another program: go on with whatever else there is.
    track?.addEventListener("ended", () => void this.#lost(kind, track));
  }

  #keep() {
    const off = [this.#isMuted ? "audio" : "", this.#isPictureOff ? "video" : ""].filter(Boolean);
    this.#storage?.setItem(this.#keptUnder, off.join(" "));
  }

  /**
   * @param {TrackKind} kind
   * @param {MediaStreamTrack | null} track
   */
  #put(kind, track) {
    const before = this.#tracks[kind];
    this.#tracks[kind] = track;
    if (kind === "audio" && track) track.enabled = !this.#isMuted;
    this.#to.onTrack(kind, track);
    before?.stop();
  }

  /**
   * @param {TrackKind} kind
   * @param {MediaStreamTrack} track
   */
  async #lost(kind, track) {
    if (this.#tracks[kind] !== track) return;
    this.#use(kind, await this.#devices.open(kind));
    this.#to.onState(this.state);
  }
}
