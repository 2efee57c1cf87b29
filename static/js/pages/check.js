// @ts-check
/** The check before a call: devices with the person, the link by itself; one line for each, in words. */
import { Devices } from "../devices.js";
import { find, label } from "../dom.js";
import { t } from "../i18n.js";
import { askLoop, lookAtLink, loopVoice, saveCheck } from "../link-check.js";
import { Live } from "../live.js";
import { problemWords } from "./room-words.js";

const GOOD_RTT_MS = 600;
const VIDEO_KBPS = 150;
const VOICE_KBPS = 40;
const MOST_LOST = 300;
const TONE_HERTZ = 660;
const TONE_SECONDS = 1;
const HEARD_LEVEL = 4;

const box = find("[data-role=check]", HTMLElement);
const video = find("[data-role=own]", HTMLVideoElement);
const level = find("[data-role=level]", HTMLProgressElement);
const startButton = find("[data-role=start]", HTMLButtonElement);
const heard = find("[data-role=heard]", HTMLElement);
const outcome = find("[data-role=outcome]", HTMLElement);
/** @type {RTCIceServer[]} */
const servers = JSON.parse(box.dataset.iceServers ?? "[]");
const live = new Live();
const devices = new Devices();
/** @type {(MediaStreamTrack | null)[]} */
let opened = [];
/** @type {AudioContext | null} */
let audio = null;
/** @type {ReturnType<typeof setInterval> | undefined} */
let meter;

/** @param {string} name @param {"ok" | "w" | ""} tone @param {string} words */
function show(name, tone, words) {
  const line = find(`[data-role=line][data-name=${name}]`, HTMLElement);
  line.dataset.tone = tone;
  find("[data-role=words]", HTMLElement, line).textContent = words;
  const mark = find("[data-role=mark]", HTMLElement, line);
  mark.className = `st ${tone}`;
  label(mark, { ok: "done", w: "warn", "": "ring" }[tone], { ok: t("Được"), w: t("Cần xem"), "": "" }[tone]);
}

/** @param {string} name @param {number | boolean | null} value */
function showFound(name, value) {
  if (name === "rtt_ms") return showRoundTrip(/** @type {number | null} */ (value));
  if (name.endsWith("_kbps")) return showRate(name, /** @type {number | null} */ (value));
  if (value === null) return show(name, "", t("Chưa cấu hình trên máy chủ"));
  if (value) return show(name, "ok", t("Tới được"));
  show(name, "w", t("Không tới được. Nếu cách khác cũng không, báo quản trị mạng mở đường"));
}

/** @param {number | null} ms */
function showRoundTrip(ms) {
  if (ms === null) return show("rtt_ms", "w", t("Không có trả lời. Kiểm tra mạng rồi thử lại"));
  const words = t("{ms} ms đi và về", { ms });
  if (ms <= GOOD_RTT_MS) show("rtt_ms", "ok", words);
  else show("rtt_ms", "w", `${words}. ${t("Chậm: nói từng lượt, chờ người kia trả lời")}`);
}

/** @param {string} name @param {number | null} kbps */
function showRate(name, kbps) {
  if (kbps === null) return show(name, "w", t("Quá chậm để đo. Trao đổi bằng chữ ở trang ca"));
  const words = t("{kbps} kbit/s", { kbps });
  if (kbps >= VIDEO_KBPS) show(name, "ok", `${words}. ${t("Đủ cho cuộc gọi có hình")}`);
  else if (kbps >= VOICE_KBPS) show(name, "w", `${words}. ${t("Chỉ đủ tiếng nói: tắt hình khi gọi")}`);
  else show(name, "w", `${words}. ${t("Không đủ cho tiếng nói: trao đổi bằng chữ")}`);
}

/** @param {import("../link-check.js").Loop | null} loop */
function showVoice(loop) {
  if (loop === null) return show("voice", "", t("Máy chủ đang bận, chưa thử được"));
  const share = (loop.loss_permille / 10).toFixed(0);
  if (loop.rtt_ms === null) {
    return show("voice", "w", t("Tiếng không qua được. Báo quản trị mạng mở đường tới máy chủ"));
  }
  const words = t("{ms} ms đi và về, mất {share} % gói", { ms: loop.rtt_ms, share });
  show("voice", loop.loss_permille <= MOST_LOST ? "ok" : "w", words);
}

/** @returns {Promise<import("../link-check.js").Loop | null>} null when the server has no end free */
async function tryVoice() {
  const answer = (/** @type {string} */ offer) => askLoop(offer, false);
  const loop = await loopVoice({ servers, answer }).catch(() => null);
  showVoice(loop);
  return loop;
}

async function lookAtDevices() {
  const { audio: voice, video: picture } = await devices.openBoth();
  opened = [voice.track, picture.track];
  const stage = find("[data-role=stage]", HTMLElement);
  stage.dataset.picture = picture.track ? "on" : "off";
  if (picture.track) {
    video.srcObject = new MediaStream([picture.track]);
    show("camera", "ok", picture.track.label || t("Đang chạy"));
  } else {
    show("camera", "w", problemWords("video", picture.problem ?? "failed"));
  }
  if (!voice.track) return show("microphone", "w", problemWords("audio", voice.problem ?? "failed"));
  show("microphone", "", t("Hãy nói vài tiếng"));
  listen(voice.track);
}

/** @param {MediaStreamTrack} track */
function listen(track) {
  audio ??= new AudioContext();
  void audio.resume();
  const analyser = audio.createAnalyser();
  audio.createMediaStreamSource(new MediaStream([track])).connect(analyser);
  const samples = new Uint8Array(analyser.fftSize);
  let isHeard = false;
  clearInterval(meter);
  meter = setInterval(() => {
    analyser.getByteTimeDomainData(samples);
    const loudest = samples.reduce((most, each) => Math.max(most, Math.abs(each - 128)), 0);
    level.value = Math.min(100, Math.round((loudest / 128) * 100));
    if (isHeard || level.value < HEARD_LEVEL) return;
    isHeard = true;
    show("microphone", "ok", track.label || t("Nghe được tiếng bạn"));
  }, 100);
}

function playTone() {
  audio ??= new AudioContext();
  void audio.resume();
  const tone = audio.createOscillator();
  const volume = audio.createGain();
  volume.gain.value = 0.2;
  tone.frequency.value = TONE_HERTZ;
  tone.connect(volume).connect(audio.destination);
  tone.start();
  tone.stop(audio.currentTime + TONE_SECONDS);
  heard.hidden = false;
}

/** @param {boolean} isHeard */
function answerTone(isHeard) {
  heard.hidden = true;
  if (isHeard) show("speaker", "ok", t("Bạn nghe thấy tiếng bíp"));
  else show("speaker", "w", t("Tăng âm lượng hoặc chọn loa khác trong máy, rồi thử lại"));
}

/** Resolves when the connection is there, or will not be. */
function connected() {
  return new Promise((resolve) => {
    if (live.link === "up" || live.link === "refused") return resolve(undefined);
    const timer = setTimeout(resolve, 5000);
    const undo = live.onLink((link) => {
      if (link !== "up" && link !== "refused") return;
      clearTimeout(timer);
      undo();
      resolve(undefined);
    });
    if (live.link === "down") live.connect();
  });
}

async function run() {
  startButton.disabled = true;
  outcome.hidden = true;
  stopDevices();
  try {
    await lookAtDevices();
    await connected();
    const found = await lookAtLink({ live, servers, onStep: showFound });
    const loss_permille = (await tryVoice())?.loss_permille ?? null;
    const is_well = found.is_well && (loss_permille ?? 0) <= MOST_LOST;
    const isSaved = await saveCheck({ ...found, loss_permille, is_well }, false).catch(() => null);
    tellOutcome(is_well, isSaved);
  } finally {
    startButton.disabled = false;
  }
}

/** @param {boolean} isWell @param {boolean | null} isSaved */
function tellOutcome(isWell, isSaved) {
  const kept = isSaved
    ? t("Đã lưu vào hồ sơ đường truyền của trạm")
    : isSaved === null
      ? t("Chưa lưu được kết quả")
      : t("Kết quả chỉ để bạn xem");
  outcome.className = isWell ? "note" : "note w";
  outcome.hidden = false;
  label(outcome, isWell ? "done" : "warn", `${isWell ? t("Đã kiểm tra xong") : t("Đường truyền có chỗ cần xem")}. ${kept}.`);
}

function stopDevices() {
  clearInterval(meter);
  level.value = 0;
  for (const track of opened) track?.stop();
  opened = [];
}

startButton.addEventListener("click", () => void run());
const toneButton = find("[data-role=tone]", HTMLButtonElement);
toneButton.addEventListener("click", playTone);
// A press before the page can answer would be lost.
startButton.disabled = false;
toneButton.disabled = false;
find("[data-role=heard-yes]", HTMLButtonElement).addEventListener("click", () => answerTone(true));
find("[data-role=heard-no]", HTMLButtonElement).addEventListener("click", () => answerTone(false));
addEventListener("pagehide", stopDevices);
