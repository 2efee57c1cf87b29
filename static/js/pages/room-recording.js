// @ts-check
/** Recording in the room: the question with its whole wording, the state that everybody sees, the buttons. */
import { find, findAll, part, say } from "../dom.js";
import { t } from "../i18n.js";
import { recordingShown } from "./recording-words.js";
import { press } from "./room-press.js";

/**
 * @typedef {import("../live.js").Live} Live
 * @typedef {import("../seat.js").LogEvent} LogEvent
 * @typedef {import("./recording-words.js").RecordingView} RecordingView
 * @typedef {import("./recording-words.js").RecordingAct} RecordingAct
 */

/** Everything of the page that has to do with recording; nothing where the server cannot record. */
export class RecordingBar {
  #live;
  #session;
  #nameOf;
  #box = part("recording");
  /** @type {RecordingView | null} */
  #view = null;
  #own = "";
  /** Events up to this number are in the view already. */
  #asOf = 0;
  #isIn = false;
  #spoken = "";

  /**
   * @param {Live} live
   * @param {string} session
   * @param {(participant: string) => string} nameOf
   */
  constructor(live, session, nameOf) {
    this.#live = live;
    this.#session = session;
    this.#nameOf = nameOf;
    part("ask-recording")?.addEventListener("click", () => void this.#send("ask", {}, part("ask-recording")));
    for (const button of this.#box ? findAll("[data-act]", HTMLButtonElement, this.#box) : []) {
      button.addEventListener("click", () => void this.#press(button));
    }
  }

  /** @param {{ participant: string, recording?: RecordingView | null, last_event: number }} joined */
  joined({ participant, recording, last_event }) {
    this.#own = participant;
    this.#view = recording ?? null;
    this.#asOf = last_event;
    this.#isIn = true;
    this.show();
  }

  /** @param {LogEvent} event */
  gotEvent(event) {
    if (!event.data.recording || event.number <= this.#asOf) return;
    this.#view = event.data.recording;
    this.show();
  }

  close() {
    this.#isIn = false;
    this.#view = null;
    this.show();
  }

  show() {
    const box = this.#box;
    if (!box) return;
    const shown = recordingShown({
      view: this.#view,
      own: this.#own,
      maySteer: box.dataset.maySteer === "yes",
      isStation: box.dataset.isStation === "yes",
      nameOf: this.#nameOf,
    });
    box.hidden = shown.tone === "off";
    box.dataset.tone = shown.tone;
    find("[data-role=recording-words]", HTMLElement).textContent = shown.text;
    find("[data-role=recording-question]", HTMLElement).hidden = !shown.isAsked;
    const stop = find("[data-act=stop]", HTMLButtonElement, box);
    stop.textContent = shown.tone === "asked" ? t("Thôi xin ghi") : t("Dừng ghi");
    const patient = part("recording-patient");
    if (patient) patient.hidden = !shown.acts.includes("patient");
    for (const button of findAll("[data-act]", HTMLButtonElement, box)) {
      button.hidden = !shown.acts.includes(/** @type {RecordingAct} */ (button.dataset.act));
    }
    const ask = part("ask-recording");
    if (ask instanceof HTMLButtonElement) ask.disabled = !this.#isIn || shown.tone !== "off";
    const words = shown.tone === "on" ? t("Đang ghi hình và tiếng.") : t("Không ghi hình.");
    const state = part("recording-state");
    if (state && state.textContent !== words) state.textContent = words;
    if (shown.text !== this.#spoken) {
      // Who does not see it begin or end is told.
      if (this.#isIn) say(shown.text || t("Không ghi hình."));
      this.#spoken = shown.text;
    }
  }

  /** @param {HTMLButtonElement} button */
  #press(button) {
    const { textVersion: text_version = "", patientVersion = "" } = this.#box?.dataset ?? {};
    const giver = part("recording-giver");
    const giver_name = giver instanceof HTMLInputElement ? giver.value.trim() : "";
    const forPatient = { text_version: patientVersion, for_patient: true, giver_name };
    const isPatientOpen = this.#view?.waits_for.includes("patient") && this.#box?.dataset.isStation === "yes";
    const isOwnOpen = this.#view?.waits_for.includes(this.#own);
    /** @type {Record<RecordingAct, () => Promise<void>>} */
    const acts = {
      agree: () => this.#send("answer", { is_agreed: true, text_version }, button),
      patient: () => this.#send("answer", { is_agreed: true, ...forPatient }, button),
      // The patient's no is noted as theirs as long as nobody else is asked here.
      refuse: () =>
        isPatientOpen && !isOwnOpen
          ? this.#send("answer", { is_agreed: false, ...forPatient }, button)
          : this.#send("answer", { is_agreed: false, text_version }, button),
      pause: () => this.#send("pause", {}, button),
      resume: () => this.#send("resume", {}, button),
      stop: () => this.#send("stop", {}, button),
      withdraw: () => this.#send("withdraw", {}, button),
      "withdraw-patient": () => this.#send("withdraw", { for_patient: true }, button),
    };
    return acts[/** @type {RecordingAct} */ (button.dataset.act)]();
  }

  /**
   * @param {string} what
   * @param {object} payload
   * @param {HTMLElement | null} button
   */
  async #send(what, payload, button) {
    await press(button, () => this.#live.send(`session:record-${what}`, { session: this.#session, ...payload }));
    this.show();
  }
}
