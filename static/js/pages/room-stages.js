// @ts-check
/** The pictures and voices of the others: one stage for each, four of them seen. */
import { find, icon, label, make } from "../dom.js";
import { Handover } from "../handover.js";
import { t } from "../i18n.js";
import { StageOrder } from "../stage-order.js";
import { stateWords } from "./room-words.js";

const LISTEN_EVERY_MS = 500;

/**
 * @typedef {import("../seat.js").Peer} Peer
 * @typedef {import("../forwarded.js").Picture} Picture
 *
 * @typedef {object} StagesParts
 * @property {(participant: string, origin: object) => void} onShown
 * @property {(participant: string, picture: Picture) => void} onWish
 * @property {(isBlocked: boolean) => void} onBlocked The browser wants a press before it plays.
 * @property {() => void} onFrame
 */

/** What comes from one participant through one connection, in elements of its own. */
class Coming {
  #stream = new MediaStream();
  #video;
  #audio = document.createElement("audio");
  #stage;
  /** @type {RTCRtpReceiver | null} */
  #voice = null;
  #hasFrame = false;

  /** @param {Stage} stage @param {object} origin @param {HTMLVideoElement} video */
  constructor(stage, origin, video) {
    this.origin = origin;
    this.#stage = stage;
    this.#video = video;
    this.#video.muted = true;
    this.#video.srcObject = this.#stream;
    stage.figure.append(this.#audio);
    this.#audio.srcObject = this.#stream;
    this.#video.requestVideoFrameCallback?.(() => {
      this.#hasFrame = true;
    });
  }

  /** @param {MediaStreamTrack} track @param {RTCRtpReceiver} receiver */
  add(track, receiver) {
    for (const before of this.#stream.getTracks()) {
      if (before.kind === track.kind) this.#stream.removeTrack(before);
    }
    this.#stream.addTrack(track);
    if (track.kind === "audio") this.#voice = receiver;
    void this.play();
  }

  async play() {
    if (this.#stream.getVideoTracks().length > 0) await this.#video.play().catch(() => {});
    if (this.#stream.getAudioTracks().length === 0) return;
    try {
      await this.#audio.play();
      this.#stage.blocked(false);
    } catch (error) {
      if (error instanceof DOMException && error.name === "NotAllowedError") this.#stage.blocked(true);
    }
  }

  async heard() {
    const entry = await this.#inbound();
    return entry ? (entry.totalSamplesReceived ?? 0) - (entry.concealedSamples ?? 0) : 0;
  }

  async level() {
    return (await this.#inbound())?.audioLevel ?? 0;
  }

  hasPicture() {
    return this.#hasFrame || this.#stage.figure.hidden;
  }

  isOver() {
    return this.#voice?.track.readyState === "ended";
  }

  showPicture() {
    this.#stage.put(this.#video);
  }

  /** @param {number} volume */
  setVolume(volume) {
    this.#audio.volume = volume;
  }

  drop() {
    this.#audio.srcObject = null;
    this.#audio.remove();
    this.#video.srcObject = null;
    if (this.#stage.video !== this.#video) this.#video.remove();
  }

  /** @returns {Promise<any>} */
  async #inbound() {
    /** @type {any} */
    let found = null;
    (await this.#voice?.getStats())?.forEach((entry) => {
      if (entry.type === "inbound-rtp") found = entry;
    });
    return found;
  }
}

/** The place of one participant. */
class Stage {
  participant = "";
  /** @type {Peer | null} */
  peer = null;
  /** The person wants no moving picture of them. */
  isHeld = false;
  /** The link carries none. */
  isWithout = false;
  isRelayed = false;
  #parts;
  #handover;
  /** @type {Coming | null} */
  #coming = null;

  /** @param {HTMLElement} figure @param {StagesParts} parts */
  constructor(figure, parts) {
    this.figure = figure;
    this.#parts = parts;
    this.video = find("video", HTMLVideoElement, figure);
    this.#hearFrames(this.video);
    this.#handover = new Handover({
      onShown: (origin) => parts.onShown(this.participant, origin),
      expectsPicture: () => !this.peer?.camera_off && !this.isHeld && !this.isWithout,
    });
  }

  /** @param {MediaStreamTrack} track @param {RTCRtpReceiver} receiver @param {object} origin */
  take(track, receiver, origin) {
    if (this.#coming?.origin === origin) return this.#coming.add(track, receiver);
    const coming = new Coming(this, origin, this.#coming ? this.#beside() : this.video);
    this.#coming = coming;
    coming.add(track, receiver);
    this.#handover.take(coming);
  }

  /** Another video element in the place of the one before. @param {HTMLVideoElement} video */
  put(video) {
    if (video === this.video) return;
    const before = this.video;
    this.video = video;
    video.classList.remove("waiting");
    video.dataset.role = before.dataset.role;
    before.replaceWith(video);
    void video.play().catch(() => {});
    this.#parts.onFrame();
  }

  /** @param {boolean} isBlocked */
  blocked(isBlocked) {
    find("[data-role=unmute]", HTMLButtonElement, this.figure).hidden = !isBlocked;
    this.#parts.onBlocked(isBlocked);
  }

  play() {
    return this.#coming?.play();
  }

  async level() {
    return (await this.#coming?.level()) ?? 0;
  }

  /** @param {string} image */
  setStill(image) {
    find("[data-role=still]", HTMLImageElement, this.figure).src = `data:image/webp;base64,${image}`;
  }

  show() {
    const peer = this.peer;
    const isHeld = this.isHeld && this.isRelayed;
    this.figure.dataset.picture = peer && !peer.camera_off && !isHeld ? "on" : "off";
    const tag = find("[data-role=remote-tag]", HTMLElement, this.figure);
    tag.hidden = !peer;
    const still = find("[data-role=still]", HTMLImageElement, this.figure);
    const isInsteadOf = this.isWithout || peer?.mode?.rung === "voice";
    const isStill = isInsteadOf && !isHeld && peer?.camera_off === false && still.hasAttribute("src");
    still.hidden = !isStill;
    this.figure.dataset.still = isStill ? "on" : "off";
    this.#showHold();
    if (!peer) return;
    tag.replaceChildren(icon(peer.muted ? "mic-off" : "mic"), icon(peer.camera_off ? "video-off" : "video"), make("span", { class: "cut" }, peer.name));
    tag.dataset.muted = String(peer.muted);
    tag.dataset.cameraOff = String(peer.camera_off);
    tag.append(make("span", { class: "sr" }, stateWords(peer)));
  }

  #showHold() {
    const hold = find("[data-role=hold]", HTMLButtonElement, this.figure);
    const isBlocked = !find("[data-role=unmute]", HTMLButtonElement, this.figure).hidden;
    hold.hidden = !this.isRelayed || !this.peer || this.peer.camera_off || isBlocked;
    const words = this.isHeld ? t("Nhận hình lại") : t("Tạm dừng hình");
    if (hold.textContent !== words) label(hold, this.isHeld ? "video" : "video-off", words);
  }

  clear() {
    this.#handover.drop();
    this.#coming = null;
    this.isHeld = this.isWithout = false;
    this.peer = null;
    this.participant = "";
    this.video.srcObject = null;
    find("[data-role=still]", HTMLImageElement, this.figure).removeAttribute("src");
    this.figure.hidden = false;
    this.show();
  }

  #beside() {
    const video = /** @type {HTMLVideoElement} */ (this.video.cloneNode());
    video.classList.add("waiting");
    this.#hearFrames(video);
    this.figure.append(video);
    return video;
  }

  /** @param {HTMLVideoElement} video */
  #hearFrames(video) {
    for (const sign of ["loadeddata", "resize"]) {
      video.addEventListener(sign, () => video.videoWidth > 0 && this.#parts.onFrame());
    }
  }
}

/** All stages of the room; without anybody there is one, and it is empty. */
export class Stages {
  #parts;
  #box;
  #blank;
  /** @type {Stage[]} */
  #stages;
  #order = new StageOrder();
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {StagesParts} parts */
  constructor(parts) {
    this.#parts = parts;
    this.#box = find("[data-role=stages]", HTMLElement);
    const first = find("[data-role=remote-stage]", HTMLElement, this.#box);
    this.#blank = /** @type {HTMLElement} */ (first.cloneNode(true));
    this.#stages = [this.#made(first)];
  }

  start() {
    this.#timer ??= setInterval(() => void this.#listen(), LISTEN_EVERY_MS);
  }

  stop() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const stage of [...this.#stages]) this.drop(stage.participant);
  }

  /** @param {string} participant @param {MediaStreamTrack} track @param {RTCRtpReceiver} receiver @param {object} origin */
  take(participant, track, receiver, origin) {
    this.#of(participant).take(track, receiver, origin);
  }

  /** @param {string} participant @param {string} image */
  setStill(participant, image) {
    this.#of(participant).setStill(image);
  }

  /** @param {string} participant */
  drop(participant) {
    const stage = this.#stages.find((each) => each.participant === participant);
    if (!stage) return;
    stage.clear();
    if (this.#stages.length === 1) return;
    this.#stages = this.#stages.filter((each) => each !== stage);
    stage.figure.remove();
  }

  /**
   * @param {Iterable<Peer>} peers
   * @param {{ isRelayed: boolean, without: Set<string> }} media whose pictures the link does not carry
   */
  show(peers, { isRelayed, without }) {
    const present = [...peers];
    for (const peer of present) this.#of(peer.participant).peer = peer;
    for (const stage of this.#stages) {
      stage.isRelayed = isRelayed;
      stage.isWithout = isRelayed && without.has(stage.participant);
    }
    this.#arrange(present.map(({ participant }) => participant));
    for (const stage of this.#stages) stage.show();
  }

  play() {
    for (const stage of this.#stages) void stage.play();
  }

  /** @param {string[]} participants */
  #arrange(participants) {
    const { large, seen } = this.#order.arrange(participants, performance.now());
    this.#box.dataset.count = String(Math.max(1, seen.length));
    for (const stage of this.#stages) {
      if (!stage.participant) continue;
      stage.figure.hidden = !seen.includes(stage.participant);
      const isLarge = stage.participant === large;
      stage.figure.dataset.size = isLarge ? "large" : "small";
      const isSeen = !stage.figure.hidden && !stage.isHeld;
      this.#parts.onWish(stage.participant, !isSeen ? "none" : isLarge ? "large" : "small");
    }
  }

  async #listen() {
    const present = this.#stages.filter(({ participant }) => participant);
    if (present.length < 2) return;
    for (const stage of present) this.#order.heard(stage.participant, await stage.level(), performance.now());
    this.#arrange(present.map(({ participant }) => participant));
  }

  /** @param {string} participant */
  #of(participant) {
    const known = this.#stages.find((each) => each.participant === participant);
    if (known) return known;
    const free = this.#stages.find((each) => !each.participant) ?? this.#more();
    free.participant = participant;
    return free;
  }

  /** Voice alone of one participant, to save the link; or the picture again. @param {Stage} stage */
  #hold(stage) {
    stage.isHeld = !stage.isHeld;
    this.#arrange(this.#stages.map(({ participant }) => participant).filter(Boolean));
    stage.show();
  }

  #more() {
    const figure = /** @type {HTMLElement} */ (this.#blank.cloneNode(true));
    this.#box.append(figure);
    const stage = this.#made(figure);
    this.#stages.push(stage);
    return stage;
  }

  /** @param {HTMLElement} figure */
  #made(figure) {
    const stage = new Stage(figure, this.#parts);
    const press = find("[data-role=unmute]", HTMLButtonElement, figure);
    press.addEventListener("click", () => this.play());
    find("[data-role=hold]", HTMLButtonElement, figure).addEventListener("click", () => this.#hold(stage));
    find("video", HTMLVideoElement, figure).setAttribute("aria-label", t("Hình của người kia"));
    return stage;
  }
}
