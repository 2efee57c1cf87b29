// @ts-check
/** A scanned card fills the form of a new patient at once, from a hand scanner or the camera. */
import { ApiError, post } from "../api.js";
import { readCard } from "../cards.js";
import { busy, find, icon, make, part, say, warn } from "../dom.js";
import { t } from "../i18n.js";
import { TypedCards } from "../typed-cards.js";

/** @typedef {import("../card-camera.js").Answer} Answer */

const SCAN = "/patients/new/scan";

const cardForm = find("[data-role=card]", HTMLFormElement);
const patientForm = find("[data-role=patient]", HTMLFormElement);
const typed = find("input[name=qr]", HTMLInputElement, cardForm);
const refusal = find("[data-role=card-refusal]", HTMLElement);
const said = find("[data-role=card-said]", HTMLElement);

/**
 * What was scanned or pasted: the form is filled at once, and the server says who has the number.
 * @param {string} text
 */
async function take(text) {
  refuse("");
  const known = readCard(text);
  if (known) fillFrom(known);
  try {
    const answer = await post(SCAN, { qr: text }, { key: "", retries: 0 });
    if (!known) fillFrom(answer.fields);
    tellOf(answer);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // Without a link the form is filled all the same, and the server looks again when it is saved.
    if (known && error.isUnanswered) return;
    typed.value = text.trim();
    refuse(error.message);
  }
}

/** @param {Record<string, string>} fields */
function fillFrom(fields) {
  for (const [name, value] of Object.entries(fields)) fill(name, value);
  typed.value = "";
  said.replaceChildren(make("div", { class: "note" }, icon("info"), make("div", {}, filledWords())));
  said.hidden = false;
  say(filledWords());
  find("input[name=full_name]", HTMLInputElement, patientForm).focus();
}

/** @param {string} name @param {string} value */
function fill(name, value) {
  const field = patientForm.elements.namedItem(name);
  if (field instanceof RadioNodeList || field instanceof HTMLInputElement) field.value = value;
}

function filledWords() {
  return t("Đã điền từ thẻ. Xem lại từng ô rồi lưu.");
}

/** @param {Answer} answer */
function tellOf({ fields, existing }) {
  if (!existing) return;
  const words = t("Trạm đã có người bệnh mang số này: {name}.", { name: existing.name });
  const link = make("a", { href: existing.url }, t("Mở hồ sơ đã có"));
  said.append(make("div", { class: "note w" }, icon("warn"), make("div", {}, words, " ", link)));
  warn(words);
  // The note may stand above what is in sight; but who has gone on writing is not interrupted.
  const name = find("input[name=full_name]", HTMLInputElement, patientForm);
  if (document.activeElement === name && name.value === fields.full_name) link.focus();
}

/** What was wrong with the last card, at its field; "" for nothing. @param {string} words */
function refuse(words) {
  refusal.hidden = !words;
  refusal.replaceChildren(...(words ? [icon("stop"), make("span", {}, words)] : []));
  typed.closest(".f")?.classList.toggle("bad", Boolean(words));
  if (!words) return typed.removeAttribute("aria-invalid");
  typed.setAttribute("aria-invalid", "true");
  typed.focus();
}

typed.addEventListener("paste", () => setTimeout(() => readCard(typed.value) && take(typed.value)));
cardForm.addEventListener("submit", (event) => {
  event.preventDefault();
  take(typed.value);
});
new TypedCards(typed, take).watch(document);

const button = part("camera");
if (button && navigator.mediaDevices) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    refuse("");
    const free = busy(button);
    try {
      const { openCardDialog } = await import("./card-dialog.js");
      await openCardDialog(SCAN, gotCard);
    } catch {
      refuse(t("Chưa tải được phần quét bằng camera. Dán mã QR vào ô, hoặc ghi tay."));
    } finally {
      free();
    }
  });
}

/** @param {import("../card-camera.js").Card} card */
function gotCard(card) {
  if ("text" in card) return take(card.text);
  fillFrom(card.answer.fields);
  tellOf(card.answer);
}
