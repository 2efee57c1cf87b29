// @ts-check
/** A scanned card fills the form of a new patient at once, from a hand scanner or the camera. */
import { readCard } from "../cards.js";
import { find, make, part, say, warn } from "../dom.js";
import { t } from "../i18n.js";

const LOOK_EVERY_MS = 200;

const cardForm = find("[data-role=card]", HTMLFormElement);
const patientForm = find("[data-role=patient]", HTMLFormElement);
const typed = find("input[name=qr]", HTMLInputElement, cardForm);

/** @param {string} text @returns {boolean} Whether it was a card. */
function fillFrom(text) {
  const fields = readCard(text);
  if (!fields) return false;
  for (const [name, value] of Object.entries(fields)) fill(name, value);
  typed.value = "";
  say(t("Đã điền từ thẻ. Xem lại từng ô rồi lưu."));
  find("input[name=full_name]", HTMLInputElement, patientForm).focus();
  return true;
}

/** @param {string} name @param {string} value */
function fill(name, value) {
  const field = patientForm.elements.namedItem(name);
  if (field instanceof RadioNodeList || field instanceof HTMLInputElement) field.value = value;
}

typed.addEventListener("paste", () => setTimeout(() => fillFrom(typed.value)));
// A hand scanner presses Enter; what is no card goes to the server, which says what is wrong.
cardForm.addEventListener("submit", (event) => {
  if (fillFrom(typed.value)) event.preventDefault();
});

/**
 * @typedef {{ detect(source: CanvasImageSource): Promise<{ rawValue: string }[]> }} Detector
 * @typedef {new (options: { formats: string[] }) => Detector} DetectorKind
 */

const DetectorClass = /** @type {{ BarcodeDetector?: DetectorKind }} */ (globalThis).BarcodeDetector;

/** The camera's picture until a card is in it, or until somebody stops it. */
class Viewer {
  #video = make("video", { playsinline: true, muted: true, "aria-label": t("Máy ảnh") });
  #place;
  #detector;
  /** @type {MediaStream | null} */
  #stream = null;

  /** @param {HTMLElement} place @param {DetectorKind} kind */
  constructor(place, kind) {
    this.#place = place;
    this.#detector = new kind({ formats: ["qr_code"] });
    const stop = make("button", { type: "button", class: "btn" }, t("Tắt máy ảnh"));
    stop.addEventListener("click", () => this.close());
    place.replaceChildren(this.#video, stop);
  }

  async open() {
    if (this.#stream) return;
    const wanted = { video: { facingMode: "environment" } };
    this.#stream = await navigator.mediaDevices.getUserMedia(wanted);
    this.#video.srcObject = this.#stream;
    this.#place.hidden = false;
    await this.#video.play();
    this.#look();
  }

  async #look() {
    if (!this.#stream) return;
    const codes = await this.#detector.detect(this.#video).catch(() => []);
    if (codes.some((code) => fillFrom(code.rawValue))) this.close();
    else setTimeout(() => this.#look(), LOOK_EVERY_MS);
  }

  close() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.#place.hidden = true;
  }
}

const button = part("camera");
const place = part("viewer");
if (DetectorClass && button && place && navigator.mediaDevices) {
  const viewer = new Viewer(place, DetectorClass);
  button.hidden = false;
  button.addEventListener("click", () => {
    viewer.open().catch(() => warn(t("Không mở được máy ảnh. Dán mã QR vào ô, hoặc ghi tay.")));
  });
  addEventListener("pagehide", () => viewer.close());
}
