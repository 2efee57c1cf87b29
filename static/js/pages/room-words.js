// @ts-check
/** What the room says: what is going on in one sentence, what happened, what is wrong. No DOM. */
import { t } from "../i18n.js";

/**
 * @typedef {import("../devices.js").TrackKind} TrackKind
 * @typedef {import("../devices.js").ProblemKind} ProblemKind
 * @typedef {import("../live.js").LinkState} LinkState
 * @typedef {import("../ladder.js").Reason} Reason
 * @typedef {import("../ladder.js").Rung} Rung
 * @typedef {import("../seat.js").Mode} Mode
 * @typedef {import("../seat.js").Peer} Peer
 *
 * @typedef {"" | "left" | "replaced" | "session_ended" | "revoked" | "failed" | "link_lost"} Out
 * @typedef {"sign_in" | "enter" | "call" | "home" | "reconnect" | "renew"} Act
 * @typedef {{ text: string, tone?: "" | "w" | "e", act?: Act, label?: string }} Situation
 *
 * @typedef {object} Facts
 * @property {LinkState} link
 * @property {Out} out Why the page is outside; "" while it is inside, or on its way.
 * @property {string} refusal The server's words for a refused join.
 * @property {boolean} isIn
 * @property {Peer | null} peer The other one, if somebody is there.
 * @property {RTCPeerConnectionState} connection
 * @property {boolean} [isMediaLost] No longer tried by itself.
 * @property {string} other Whom one waits for.
 * @property {boolean} isRinging
 * @property {boolean} hasBeenCalled
 */

/**
 * What is going on, with the one act that helps; no text when there is nothing to say.
 * @param {Facts} facts
 * @returns {Situation}
 */
export function situationOf(facts) {
  if (facts.link === "refused") {
    return { text: t("Phiên làm việc đã hết."), tone: "e", act: "sign_in", label: t("Đăng nhập lại") };
  }
  if (facts.out) return outside(facts.out, facts.refusal);
  if (facts.link === "lost") {
    const text = t("Không nối lại được với máy chủ. Kiểm tra mạng, rồi nối lại.");
    return { text, tone: "e", act: "reconnect", label: t("Nối lại") };
  }
  if (!facts.isIn && facts.peer) {
    const text = t("Mất kết nối với máy chủ, đang nối lại. Hình và tiếng vẫn đi thẳng nếu đường truyền còn.");
    return { text, tone: "w" };
  }
  if (!facts.isIn) return { text: t("Đang vào phòng…") };
  return facts.peer ? withPeer(facts.peer, facts) : alone(facts);
}

/** @param {Out} out @param {string} refusal @returns {Situation} */
function outside(out, refusal) {
  const home = /** @type {const} */ ({ act: "home", label: t("Về trang đầu") });
  if (out === "session_ended") return { text: t("Buổi gọi đã kết thúc."), ...home };
  if (out === "revoked") return { text: refusal || t("Bạn không còn trong ca này."), tone: "e", ...home };
  if (out === "failed") {
    return { text: refusal || t("Chưa vào được phòng."), tone: "e", act: "enter", label: t("Thử lại") };
  }
  if (out === "replaced") {
    const text = t("Bạn đang ở trong phòng trên một trang khác.");
    return { text, act: "enter", label: t("Chuyển về trang này") };
  }
  return { text: t("Bạn đã rời phòng."), act: "enter", label: t("Vào lại phòng") };
}

/** @param {Facts} facts @returns {Situation} */
function alone({ other: name, isRinging, hasBeenCalled }) {
  if (isRinging) return { text: t("Đang gọi {name}…", { name }) };
  /** @type {Situation} */
  const call = { text: t("Chỉ có bạn trong phòng."), act: "call", label: t("Gọi {name}", { name }) };
  return hasBeenCalled ? { ...call, text: t("{name} chưa có trong phòng.", { name }), tone: "w" } : call;
}

/** @param {Peer} peer @param {Facts} facts @returns {Situation} */
function withPeer(peer, { connection, isMediaLost }) {
  const { name } = peer;
  if (connection === "connected" && peer.connected) return { text: "" };
  if (connection === "connected") {
    return { text: t("{name} mất kết nối với máy chủ, đang nối lại.", { name }), tone: "w" };
  }
  if (!peer.connected) {
    return { text: t("{name} mất kết nối. Phòng giữ chỗ trong 1 phút.", { name }), tone: "w" };
  }
  if (isMediaLost) {
    const text = t("Không nối được hình và tiếng với {name}. Kiểm tra mạng, rồi nối lại.", { name });
    return { text, tone: "e", act: "renew", label: t("Nối lại") };
  }
  if (connection === "disconnected" || connection === "failed") {
    return { text: t("Mất hình và tiếng của {name}, đang nối lại.", { name }), tone: "w" };
  }
  return { text: t("Đang nối hình và tiếng với {name}…", { name }) };
}

/** @param {string} kind @param {string} name @param {Record<string, any>} [data] */
export function wordsOf(kind, name, data = {}) {
  if (kind === "mode_changed") {
    return t("{name}: {mode} – {reason}", { name, mode: rungWords(data.rung), reason: reasonWords(data.reason) });
  }
  if (kind === "reception_changed") {
    return t("{name}: {mode} – {reason}", { name, mode: receptionWords(data.rung), reason: reasonWords(data.reason) });
  }
  if (kind === "picture_asked") return t("{name} xin ảnh nét", { name });
  if (kind === "picture_answered") return pictureWords(name, data.outcome);
  if (kind === "person_invited") {
    return t("{name} mời {guest} – {capacity}", { name, guest: data.name, capacity: capacityWords(data.capacity) });
  }
  if (kind === "person_removed") return t("{name} đưa {guest} ra khỏi phòng", { name, guest: data.name });
  if (kind === "participant_joined" && data.capacity) {
    return t("{name} – {capacity} – vào phòng theo lời mời", { name, capacity: capacityWords(data.capacity) });
  }
  if (kind === "participant_joined") return t("{name} vào phòng", { name });
  if (kind === "participant_left") return t("{name} rời phòng", { name });
  if (kind === "link_lost") return t("{name} mất kết nối", { name });
  if (kind === "link_restored") return t("{name} nối lại được", { name });
  if (kind === "ring_started") return t("{name} gọi", { name });
  if (kind === "ring_declined") return t("{name} chưa vào được lúc này", { name });
  if (kind === "ring_expired") return t("{name} chưa trả lời", { name });
  return "";
}

/** @param {string} name @param {string} outcome */
function pictureWords(name, outcome) {
  if (outcome === "waiting") return t("{name} đã chụp, ảnh chờ đường truyền khá hơn", { name });
  if (outcome === "declined") return t("{name} chưa chụp được ảnh", { name });
  if (outcome === "failed") return t("Không lấy được ảnh từ máy của {name}", { name });
  return "";
}

/** @param {string} capacity */
export function capacityWords(capacity) {
  if (capacity === "interpreter") return t("phiên dịch");
  if (capacity === "trainer") return t("giảng viên");
  if (capacity === "trainee") return t("học viên");
  return t("đồng nghiệp");
}

/** @param {{ muted: boolean, camera_off: boolean }} state */
export function stateWords({ muted, camera_off }) {
  return `${muted ? t("Tiếng tắt") : t("Tiếng bật")}, ${camera_off ? t("Hình tắt") : t("Hình bật")}`;
}

/** @param {TrackKind} kind @param {ProblemKind} problem */
export function problemWords(kind, problem) {
  const what = kind === "audio" ? t("micrô") : t("camera");
  if (problem === "denied") return t("Trình duyệt chưa cho dùng {what}. Bấm biểu tượng khóa cạnh địa chỉ trang để cho phép.", { what });
  if (problem === "absent") return t("Máy này không có {what}, hoặc {what} chưa cắm.", { what });
  if (problem === "busy") return t("Chương trình khác đang giữ {what}. Tắt chương trình đó rồi bật lại.", { what });
  if (problem === "insecure") return t("Trang không mở qua HTTPS nên không dùng được {what}.", { what });
  return t("Chưa mở được {what}. Chọn thiết bị khác.", { what });
}

/** @param {Rung} rung */
function rungWords(rung) {
  if (rung === "full") return t("gửi hình đầy đủ");
  if (rung === "small") return t("gửi hình nhỏ");
  if (rung === "voice") return t("gửi tiếng và từng ảnh");
  return t("chỉ còn nhắn chữ");
}

/** @param {Rung} rung */
function receptionWords(rung) {
  return heightOf(rung) > heightOf("voice") ? t("nhận lại được hình") : t("nhận tiếng và từng ảnh");
}

/** @param {Reason} reason */
function reasonWords(reason) {
  if (reason === "link_good") return t("đường truyền đã tốt");
  if (reason === "link_slow") return t("đường truyền chậm");
  if (reason === "link_lossy") return t("đường truyền mất nhiều gói");
  if (reason === "voice_breaking") return t("tiếng nghe bị đứt");
  if (reason === "silent") return t("hầu như không có gì qua được");
  if (reason === "asked") return t("bên nhận không nhận kịp");
  if (reason === "chosen") return t("tự chọn");
  return t("bắt đầu gọi");
}

/** @param {Rung} rung */
const heightOf = (rung) => ["written", "voice", "small", "full"].indexOf(rung);

/** Who sends least; null when nobody is there. @param {Iterable<Peer>} peers */
export function lowestOf(peers) {
  const height = (/** @type {Peer} */ { mode }) => (mode ? heightOf(mode.rung) : Infinity);
  return [...peers].reduce((low, each) => (!low || height(each) < height(low) ? each : low), /** @type {Peer | null} */ (null));
}

/**
 * What the call has come down to, at whichever end, and why; no text while all is well.
 * @param {Mode} own
 * @param {Mode | null} theirs
 * @param {string} name
 * @returns {{ rung: Rung, text: string }}
 */
export function modeOf(own, theirs, name) {
  const sent = sentOf(own, theirs, name);
  // Only the relay leaves pictures out by itself; browser to browser the other side sends less.
  const isLacking = heightOf(own.ask) <= heightOf("voice") && (own.ask_reason === "link_slow" || own.ask_reason === "link_lossy");
  if (!isLacking) return sent;
  const reason = reasonWords(own.ask_reason);
  const words = t("Máy này chỉ còn nhận tiếng và từng ảnh của người khác. Bạn: {reason}.", { reason });
  const rung = heightOf(sent.rung) > heightOf("voice") ? "voice" : sent.rung;
  return { rung, text: sent.text && sent.rung !== "full" ? `${words} ${sent.text}` : words };
}

/** @param {Mode} own @param {Mode | null} theirs @param {string} name @returns {{ rung: Rung, text: string }} */
function sentOf(own, theirs, name) {
  const isTheirs = theirs !== null && heightOf(theirs.rung) < heightOf(own.rung);
  const { rung, reason } = isTheirs ? theirs : own;
  if (rung === "full" || reason === "start") return { rung, text: "" };
  const who = isTheirs ? name : t("Bạn");
  if (reason === "chosen") return { rung, text: t("{name} chọn {mode}.", { name: who, mode: rungWords(rung) }) };
  if (reason === "link_good") return { rung, text: t("Đường truyền khá hơn, đang thử trở lại: hình nhỏ.") };
  const why = t("{name}: {reason}.", { name: who, reason: reasonWords(reason) });
  return { rung, text: `${priorityWords(rung)} ${why}` };
}

/** @param {Rung} rung */
function priorityWords(rung) {
  if (rung === "small") return t("Hình nhỏ lại để giữ tiếng nói.");
  if (rung === "voice") return t("Đường truyền yếu: ưu tiên tiếng nói, hình gửi từng ảnh.");
  return t("Tiếng không qua được: nhắn bằng chữ, tiếng tự trở lại khi được.");
}
