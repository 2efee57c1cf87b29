// @ts-check
/** A scanned card finds its patient: by its number alone, so that no name stands in an address. */
import { readCard } from "../cards.js";
import { busy, find, icon, make, part } from "../dom.js";
import { t } from "../i18n.js";
import { TypedCards } from "../typed-cards.js";

const SCAN = "/patients/new/scan";
const box = find("input[name=q]", HTMLInputElement);
const button = part("camera");
const refusal = find("[data-role=card-refusal]", HTMLElement);

/** @param {string} text */
function take(text) {
  lookFor(readCard(text) ?? {}, text);
}

/** @param {Record<string, string>} fields @param {string} [text] */
function lookFor(fields, text = "") {
  box.value = fields.personal_number || fields.insurance_number || text.trim();
  box.form?.requestSubmit();
}

/** @param {import("../card-camera.js").Card} card */
function gotCard(card) {
  if ("text" in card) return take(card.text);
  if (card.answer.existing) location.assign(card.answer.existing.url);
  else lookFor(card.answer.fields);
}

box.form?.addEventListener("submit", () => {
  const fields = readCard(box.value);
  if (fields) box.value = fields.personal_number || fields.insurance_number;
});
new TypedCards(box, take).watch(document);

if (button && navigator.mediaDevices) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    refusal.hidden = true;
    const free = busy(button);
    try {
      const { openCardDialog } = await import("./card-dialog.js");
      await openCardDialog(SCAN, gotCard);
    } catch {
      const words = t("Chưa tải được phần quét bằng camera. Dán mã QR vào ô, hoặc ghi tay.");
      refusal.replaceChildren(icon("stop"), make("span", {}, words));
      refusal.hidden = false;
    } finally {
      free();
    }
  });
}
