// @ts-check
/** The camera's picture over the page until a card is in it. Loaded when it is asked for. */
import { send } from "../api.js";
import { CardCamera } from "../card-camera.js";
import { icon, make } from "../dom.js";
import { t } from "../i18n.js";
import { problemWords } from "./room-words.js";

/**
 * @typedef {import("../card-camera.js").Card} Card
 * @typedef {import("../card-camera.js").Detector} Detector
 * @typedef {import("../card-camera.js").State} State
 * @typedef {{ new (options: { formats: string[] }): Detector, getSupportedFormats(): Promise<string[]> }} DetectorKind
 */

// Measured: more pixels or bytes are read no more often (docs/decisions/0024).
const SIDE = 640;
const QUALITY = 0.5;
const TIMEOUT_MS = 8_000;
/** @type {Partial<Record<State, true>>} */
const GOES_ON = { opening: true, looking: true, strange: true, link: true };

/**
 * Open the dialog; the focus is back where it was when it closes.
 * @param {string} url Where pictures are read.
 * @param {(card: Card) => void} onCard
 */
export async function openCardDialog(url, onCard) {
  const detector = await findDetector();
  const video = make("video", { playsinline: true, muted: true, "aria-label": t("Hình từ camera") });
  // A property as well: browsers play by themselves only what is silent.
  video.muted = true;
  const says = make("p", { role: "status", class: "row" });
  const where = make("p", { class: "small soft" });
  const again = make("button", { class: "btn go", type: "button", hidden: true }, icon("again"), t("Quét tiếp"));
  const stage = make("div", { class: "stage" }, video);
  const shut = make("button", { class: "btn", autofocus: true }, t("Đóng camera"));
  const dialog = make(
    "dialog",
    { "aria-labelledby": "scan", class: "scan", "data-role": "scan" },
    make(
      "form",
      { method: "dialog", class: "stack tight" },
      make("h2", { id: "scan", class: "row" }, icon("camera"), t("Quét thẻ bằng camera")),
      stage,
      says,
      where,
      make("div", { class: "line" }, again, shut),
    ),
  );
  const camera = new CardCamera(
    { video, detector, grab: () => grab(video), ask: (picture, signal) => ask(url, picture, signal) },
    {
      onCard(card) {
        dialog.close();
        onCard(card);
      },
      onState(state, words) {
        dialog.dataset.state = state;
        says.replaceChildren(...wordsOf(state, words));
        where.textContent = camera.isRemote
          ? t("Ảnh gửi lên máy chủ chỉ để đọc mã, không được giữ lại.")
          : t("Mã được đọc ngay trên máy này, không gửi ảnh đi.");
        again.hidden = Boolean(GOES_ON[state]);
        stage.hidden = where.hidden = !again.hidden;
      },
    },
  );
  const leave = () => document.hidden && dialog.close();
  again.addEventListener("click", () => {
    // A button that goes away must not take the focus with it.
    shut.focus();
    camera.open();
  });
  document.addEventListener("visibilitychange", leave);
  dialog.addEventListener("close", () => {
    camera.close();
    document.removeEventListener("visibilitychange", leave);
    dialog.remove();
  });
  document.body.append(dialog);
  dialog.showModal();
  camera.open();
}

/** What the browser brings to read codes, null where that is nothing. @returns {Promise<Detector | null>} */
async function findDetector() {
  const kind = /** @type {{ BarcodeDetector?: DetectorKind }} */ (globalThis).BarcodeDetector;
  try {
    const formats = (await kind?.getSupportedFormats()) ?? [];
    return kind && formats.includes("qr_code") ? new kind({ formats: ["qr_code"] }) : null;
  } catch {
    return null;
  }
}

/** @param {string} url @param {Blob} picture @param {AbortSignal} signal */
function ask(url, picture, signal) {
  return send("POST", url, { body: picture, key: "", retries: 0, timeout: TIMEOUT_MS, signal });
}

/** The square in the middle, as the dialog shows it, in grey. @param {HTMLVideoElement} video @returns {Promise<Blob | null>} */
function grab(video) {
  const size = Math.min(video.videoWidth, video.videoHeight);
  const side = Math.min(size, SIDE);
  const canvas = make("canvas", { width: side, height: side });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!size || !context) return Promise.resolve(null);
  const [left, top] = [(video.videoWidth - size) / 2, (video.videoHeight - size) / 2];
  context.drawImage(video, left, top, size, size, 0, 0, side, side);
  const picture = context.getImageData(0, 0, side, side);
  const { data } = picture;
  for (let at = 0; at < data.length; at += 4) {
    data[at] = data[at + 1] = data[at + 2] = 0.3 * data[at] + 0.59 * data[at + 1] + 0.11 * data[at + 2];
  }
  context.putImageData(picture, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}

/** @param {State} state @param {string} words @returns {(Node | string)[]} */
function wordsOf(state, words) {
  if (state === "opening") return [t("Đang mở camera…")];
  if (state === "looking") return [t("Đưa mã QR trên căn cước hoặc thẻ BHYT vào khung, giữ yên.")];
  if (state === "strange") return [icon("warn"), words || t("Mã này không phải của căn cước hay thẻ BHYT. Đưa mã trên thẻ vào khung.")];
  if (state === "link") return [icon("link-weak"), words];
  if (state === "tired") return [icon("info"), t("Chưa đọc được thẻ. Lau thẻ, đưa ra chỗ sáng rồi quét tiếp, hoặc ghi tay.")];
  if (state === "refused") return [icon("stop"), words];
  return [icon("warn"), `${problemWords("video", state)} ${t("Bạn vẫn ghi tay được.")}`];
}
