// @ts-check
/** What is said of a recording: to whoever is in the room, and in the log. No DOM. */
import { t } from "../i18n.js";

/**
 * @typedef {"asked" | "running" | "paused" | "awaiting" | "refused" | "stopped"} RecordingState
 * @typedef {{ uid: string, state: RecordingState, waits_for: string[], agreed: string[], started_at: string | null }} RecordingView
 *
 * @typedef {"agree" | "refuse" | "patient" | "pause" | "resume" | "stop" | "withdraw" | "withdraw-patient"} RecordingAct
 *
 * @typedef {object} Facts
 * @property {RecordingView | null} view
 * @property {string} own The own participant.
 * @property {boolean} maySteer
 * @property {boolean} isStation Speaks for the patient.
 * @property {(participant: string) => string} nameOf
 *
 * @typedef {object} Shown
 * @property {"off" | "asked" | "on" | "halted"} tone
 * @property {string} text
 * @property {boolean} isAsked Whether the question stands open for this person.
 * @property {RecordingAct[]} acts
 */

const OVER = new Set(["refused", "stopped"]);
const PATIENT = "patient";

/** @param {Facts} facts @returns {Shown} */
export function recordingShown({ view, own, maySteer, isStation, nameOf }) {
  if (!view || OVER.has(view.state)) return { tone: "off", text: "", isAsked: false, acts: [] };
  const isOpen = view.waits_for.includes(own);
  const isPatientOpen = isStation && view.waits_for.includes(PATIENT);
  const names = view.waits_for.filter((each) => each !== own).map((each) => (each === PATIENT ? t("người bệnh") : nameOf(each)));
  /** @type {RecordingAct[]} */
  const acts = [];
  if (isPatientOpen) acts.push("patient");
  if (isOpen) acts.push("agree");
  if (isOpen || isPatientOpen) acts.push("refuse");
  if (maySteer && (view.state === "running" || view.state === "awaiting")) acts.push("pause");
  if (maySteer && view.state === "paused") acts.push("resume");
  if (maySteer) acts.push("stop");
  if (view.agreed.includes(own)) acts.push("withdraw");
  if (isStation && view.agreed.includes(PATIENT)) acts.push("withdraw-patient");
  return { ...words(view, isOpen, names.join(", ")), isAsked: isOpen || isPatientOpen, acts };
}

/** @param {RecordingView} view @param {boolean} isOpen @param {string} names */
function words({ state }, isOpen, names) {
  if (state === "running") return { tone: /** @type {const} */ ("on"), text: t("Đang ghi") };
  if (state === "paused") return { tone: /** @type {const} */ ("halted"), text: t("Đang tạm dừng ghi") };
  if (state === "awaiting") {
    const text = isOpen ? t("Phiên này đang được ghi, tạm dừng để chờ bạn trả lời.") : t("Tạm dừng ghi, chờ {names} trả lời.", { names });
    return { tone: /** @type {const} */ ("halted"), text };
  }
  const text = isOpen || !names ? t("Xin phép ghi lại phiên này.") : t("Xin phép ghi: chờ {names} trả lời.", { names });
  return { tone: /** @type {const} */ ("asked"), text };
}

/** What the log says; "" for events that are none of ours. @param {string} kind @param {string} name @param {Record<string, any>} data */
export function recordingWords(kind, name, data) {
  const isPatient = data.patient === "yes";
  if (kind === "recording_asked") return t("{name} xin phép ghi lại phiên này", { name });
  if (kind === "recording_agreed") {
    return isPatient ? t("Người bệnh đồng ý cho ghi, {name} ghi nhận", { name }) : t("{name} đồng ý cho ghi", { name });
  }
  if (kind === "recording_refused") {
    return isPatient ? t("Người bệnh từ chối cho ghi, {name} ghi nhận", { name }) : t("{name} từ chối cho ghi", { name });
  }
  if (kind === "recording_withdrawn") {
    const who = isPatient ? t("Người bệnh") : name;
    return t("{name} rút lại đồng ý: việc ghi dừng, bản ghi bị xóa", { name: who });
  }
  if (kind === "recording_paused") return t("{name} tạm dừng ghi", { name });
  if (kind === "recording_resumed") return t("{name} cho ghi tiếp", { name });
  if (kind === "recording_stopped") return t("Việc ghi đã dừng");
  if (kind === "recording_failed") return t("Việc ghi bị ngắt, phần đã ghi vẫn được lưu");
  if (kind === "recording_kept" && data.files > 0) return t("Bản ghi đã được lưu");
  if (kind === "recording_deleted") return t("Bản ghi đã bị xóa");
  return "";
}
