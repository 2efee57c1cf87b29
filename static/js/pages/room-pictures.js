// @ts-check
/** Sharp pictures in the room: the button that asks, the note at the camera, the picture in the log. */
import { find, icon, label, make, part, say, toast, warn } from "../dom.js";
import { formatTime, t } from "../i18n.js";
import { Pictures, takeSharp, uploadPicture } from "../pictures.js";
import { press } from "./room-press.js";

/**
 * @typedef {import("../devices.js").OwnMedia} OwnMedia
 * @typedef {import("../seat.js").LogEvent} LogEvent
 * @typedef {import("../seat.js").Peer} Peer
 * @typedef {import("../seat.js").Seat} Seat
 * @typedef {import("../ladder.js").Rung} Rung
 *
 * @typedef {object} DeskParts
 * @property {string} consult "" for a session without a case, and for whoever is there by invitation.
 * @property {Seat} seat
 * @property {OwnMedia} media
 * @property {() => MediaStreamTrack | null} camera
 * @property {() => Iterable<Peer>} peers
 * @property {() => Rung} rung
 */

/** Everything of the page that has to do with pictures on request. */
export class PictureDesk {
  #parts;
  #pictures;
  #spoken = "";

  /** @param {DeskParts} parts */
  constructor(parts) {
    this.#parts = parts;
    this.#pictures = new Pictures({
      ask: (to) => parts.seat.askPicture(to),
      answer: (answer) => parts.seat.answerPicture(answer),
      take: () => this.#take(),
      upload: (picture, signal) => uploadPicture(parts.consult, picture, captionOf(new Date()), signal),
      rung: parts.rung,
      onChange: () => this.show(),
      onTrouble: (what, words) => {
        const text = what === "camera" ? t("Camera không cho ảnh. Bác sĩ đã được báo.") : words;
        warn(text);
        toast(text, { mark: "warn" });
      },
    });
    this.#press("ask-picture", () => void this.ask());
    this.#press("give-picture", () => void this.#give());
    this.#press("decline-picture", () => this.#pictures.decline());
  }

  /** @param {string} participant */
  joined(participant) {
    this.#pictures.joined(participant);
    this.show();
  }

  /** What an event of the log leaves to be seen; null for events that are none of ours. @param {LogEvent} event */
  gotEvent(event) {
    this.#pictures.gotEvent(event);
    const { kind, data } = event;
    if (kind !== "picture_answered" || data.outcome !== "taken") return null;
    // The files of a case do not open to those who are in the room by invitation.
    return this.#parts.consult ? figureOf(event) : make("p", { class: "sys small soft" }, givenWords(event));
  }

  look() {
    this.#pictures.look();
  }

  close() {
    this.#pictures.close();
    this.show();
  }

  /** Ask whoever sits at the station's camera. */
  async ask() {
    const button = part("ask-picture");
    const to = this.#station();
    if (!button || !to || this.#pictures.asking(to.participant)) return;
    await press(button, () => this.#pictures.ask(to.participant));
    this.show();
  }

  show() {
    this.#showButton();
    this.#showNote();
  }

  /** @returns {Peer | null} */
  #station() {
    return [...this.#parts.peers()].find((peer) => peer.role === "requester" && peer.connected) ?? null;
  }

  #showButton() {
    const button = /** @type {HTMLButtonElement | null} */ (part("ask-picture"));
    if (!button) return;
    const to = this.#station();
    const open = to && this.#pictures.asking(to.participant);
    button.disabled = !this.#parts.seat.isIn || !to;
    button.setAttribute("aria-disabled", String(Boolean(open)));
    if (button.dataset.open === String(Boolean(open))) return;
    button.dataset.open = String(Boolean(open));
    label(button, "image", open ? t("Đang chờ ảnh") : t("Xin ảnh nét"));
  }

  #showNote() {
    const note = part("picture-note");
    if (!note) return;
    const { asked, step } = this.#pictures;
    note.hidden = !asked && !step;
    const isOff = this.#parts.media.state.camera_off;
    const { text, act, decline } = noteWords(asked?.name ?? "", step, isOff);
    if (text !== this.#spoken) {
      this.#spoken = text;
      find("[data-role=picture-words]", HTMLElement).textContent = text;
    }
    for (const [role, words] of Object.entries({ "give-picture": act, "decline-picture": decline })) {
      const button = find(`[data-role=${role}]`, HTMLButtonElement);
      button.hidden = !words;
      if (button.textContent !== words) button.textContent = words;
    }
  }

  async #give() {
    if (this.#pictures.step === "waiting") return this.#pictures.sendNow();
    // The picture goes on first, so that the camera can be pointed before anything is taken.
    if (this.#parts.media.state.camera_off) await this.#parts.media.togglePicture();
    else await this.#pictures.give();
    this.show();
  }

  #take() {
    const track = this.#parts.camera();
    if (!track) throw new Error("no camera");
    return takeSharp(track);
  }

  /** @param {string} role @param {() => void} act */
  #press(role, act) {
    part(role)?.addEventListener("click", act);
  }
}

/** @param {Date} now */
function captionOf(now) {
  return t("Ảnh nét chụp khi đang gọi, {time}", { time: formatTime(now.toISOString()) });
}

/**
 * What stands at the camera, and the words of its two buttons; "" for a button that is not there.
 * @param {string} name
 * @param {import("../pictures.js").Step} step
 * @param {boolean} isOff
 */
export function noteWords(name, step, isOff) {
  if (step === "taking") return { text: t("Đang chụp ảnh nét…"), act: "", decline: "" };
  if (step === "sending") return { text: t("Đang gửi ảnh nét…"), act: "", decline: t("Bỏ ảnh này") };
  if (step === "waiting") {
    const text = t("Ảnh đã chụp, đang ở trên máy này: đường truyền yếu nên nhường cho tiếng nói. Ảnh tự gửi khi đường truyền khá hơn.");
    return { text, act: t("Gửi ngay"), decline: t("Bỏ ảnh này") };
  }
  const decline = t("Chưa chụp được");
  if (isOff) return { text: t("{name} xin một ảnh nét. Hình của bạn đang tắt.", { name }), act: t("Bật hình"), decline };
  return { text: t("{name} xin một ảnh nét. Đưa camera tới chỗ cần xem rồi chụp.", { name }), act: t("Chụp và gửi"), decline };
}

/** @param {LogEvent} event */
function givenWords({ name, at }) {
  return t("{name} gửi ảnh nét lúc {time}", { name: name ?? "", time: formatTime(at) });
}

/** @param {LogEvent} event */
function figureOf(event) {
  const { data } = event;
  const [preview, original] = [`/files/${data.file}/preview`, `/files/${data.file}`];
  const words = givenWords(event);
  say(words);
  return make(
    "figure",
    { class: "stack tight", "data-role": "sharp-picture" },
    make("a", { href: preview, target: "_blank", rel: "noopener" }, make("img", { src: preview, alt: words, width: data.width, height: data.height })),
    make("figcaption", { class: "small soft" }, words),
    make("a", { class: "small row", href: original, download: true }, icon("download"),
      make("span", {}, t("Tải ảnh gốc, {width} × {height} điểm", { width: data.width, height: data.height }))),
  );
}
