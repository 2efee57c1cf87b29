// @ts-check
/** The room: wires the own devices, the seat in the session and the call to the page. */
import { Attempts } from "../attempts.js";
import { Call } from "../call.js";
import { CALL_LOCK } from "../drill.js";
import { Devices, OwnMedia } from "../devices.js";
import { find, icon, label, make, say, toast, warn } from "../dom.js";
import { Forwarded, LINGER_MS } from "../forwarded.js";
import { formatTime, t } from "../i18n.js";
import { KnownServers } from "../known-servers.js";
import { Live } from "../live.js";
import { Modes, START_SENDING } from "../modes.js";
import { QualityKeeper, QualityRecord } from "../quality.js";
import { Reception } from "../reception.js";
import { Seat } from "../seat.js";
import { recordingWords } from "./recording-words.js";
import { InviteDesk } from "./room-invite.js";
import { PictureDesk } from "./room-pictures.js";
import { RecordingBar } from "./room-recording.js";
import { Stages } from "./room-stages.js";
import { capacityWords, lowestOf, modeOf, problemWords, situationOf, stateWords, wordsOf } from "./room-words.js";

/**
 * @typedef {import("../devices.js").TrackKind} TrackKind
 * @typedef {import("../devices.js").ProblemKind} ProblemKind
 * @typedef {import("../seat.js").Peer} Peer
 * @typedef {import("../seat.js").Joined} Joined
 * @typedef {import("../seat.js").LogEvent} LogEvent
 * @typedef {import("./room-words.js").Out} Out
 * @typedef {import("./room-words.js").Act} Act
 */

const RING_OVER = new Set(["ring_declined", "ring_expired", "participant_joined"]);
const room = find("[data-role=room]", HTMLElement);
const session = room.dataset.session ?? "";
const other = room.dataset.other ?? "";
const ownVideo = find("[data-role=own]", HTMLVideoElement);
const chatForm = find("[data-role=chat-form]", HTMLFormElement);
const chatText = find("[data-role=chat-text]", HTMLInputElement);
const chatLog = find("[data-role=chat]", HTMLElement);
const deviceBox = find("[data-role=devices]", HTMLDialogElement);

const canvas = document.createElement("canvas");
const QUALITY_MODES = /** @type {const} */ ({
  full: "video",
  small: "small_video",
  voice: "stills",
  written: "written",
});

/** What a rung chosen by hand leaves of the others' pictures in the relay. */
const MOST_RELAYED = /** @type {const} */ ({ full: "large", small: "small", voice: "none", written: "none" });

/** A path that nobody has asked for yet is kept no longer: it takes a place at the TURN server. */
const READY_MS = 120_000;

const servers = new KnownServers();
servers.take(JSON.parse(room.dataset.ice ?? "{}"));
const ownStream = new MediaStream();
const live = new Live({ giveUpAfterMs: 120_000 });
const renewals = new Attempts({ most: 4, firstMs: 500, longestMs: 4000 });
const devices = new Devices();

/** @type {Map<string, Peer>} */
const peers = new Map();
/** @type {Map<string, RTCPeerConnectionState>} */
const connections = new Map();
/** @type {Map<string, HTMLElement>} */
const unsent = new Map();
/** Why the page is outside; "" while it is inside, or on its way. @type {Out} */
let out = "";
let refusal = "";
let own = "";
let ownEpoch = 0;
/** @type {import("../seat.js").Way} */
let way = { media: "direct", publishers: [] };
/** Who is seen and heard the way that media goes now. @type {Set<string>} */
const arrived = new Set();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let leaving;
/** How far the server's clock is ahead of this computer's, which may be anywhere. */
let clockAhead = 0;
let ringsUntil = 0;
let hasBeenCalled = false;
let spoken = "";
/** Nothing more is tried by itself for voice and picture. */
let isMediaLost = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let ringTimer;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let readyTimer;

const media = new OwnMedia(devices, {
  onTrack: (kind, track) => {
    for (const before of ownStream.getTracks().filter((each) => each.kind === kind)) {
      ownStream.removeTrack(before);
    }
    if (track) ownStream.addTrack(track);
    ownVideo.srcObject = ownStream;
    void call.replaceTrack(kind, track);
    void forwarded.replaceTrack(kind, track);
  },
  onState: (state) => {
    showControls();
    seat.tell(state);
  },
  onProblem: showProblem,
}, { storage: sessionStorage, under: `telemed.off.${session}` });

const call = new Call(
  {
    send: (kind, to, epoch, content) => seat.signal(kind, to, epoch, content),
    onTrack: (participant, track, receiver, origin) => stages.take(participant, track, receiver, origin),
    onConnection: (participant, state) => {
      if (way.media === "direct") connections.set(participant, state);
      if (state === "connected") beginRenewalsAnew();
      show();
    },
    onTrouble: async (participant) => {
      show();
      if (way.media === "relay") return;
      const [isAlive] = await Promise.all([live.check(), seat.renewIce()]);
      if (isAlive) call.mend(participant);
    },
    onRenew: () => {
      // Without the server there is nobody to make a new connection with; the old one may heal.
      if (!seat.isIn || way.media === "relay") return;
      isMediaLost = renewals.isOver;
      if (!isMediaLost) setTimeout(() => seat.isIn && void seat.renew(), renewals.next());
      show();
    },
  },
  ownStream,
  START_SENDING,
);

const forwarded = new Forwarded(
  {
    ask: (event, payload) => seat.forward(event, payload),
    onTrack: (participant, track, receiver, origin) => stages.take(participant, track, receiver, origin),
    onConnection: (participant, state) => {
      if (way.media === "relay") connections.set(participant, state);
      show();
    },
  },
  ownStream,
);

const stages = new Stages({
  onShown: (participant, origin) => {
    forwarded.shown(participant, origin);
    if (forwarded.has(origin) === (way.media === "relay")) arrived.add(participant);
    leaveOldWay();
  },
  onWish: (participant, picture) => way.media === "relay" && forwarded.wish(participant, picture),
  onBlocked: () => {},
  onFrame: () => quality.gotFrame(),
});

const seat = new Seat(live, session, {
  onJoined: gotJoined,
  onEvent: gotEvent,
  onSignal: (signal) => call.got(signal),
  onIce: (told) => {
    servers.take(told);
    call.configure(told.ice_servers);
    forwarded.configure(told.ice_servers);
  },
  onMedia: gotWay,
  onPeer: (peer) => {
    peers.set(peer.participant, peer);
    quality.met(false);
    modes.gotMode(peer.participant, peer.mode);
    call.heard(peer);
    show();
  },
  onPeerLeft: (participant) => {
    forget(participant);
    show();
  },
  onEvicted: (reason) => goOut(reason === "replaced" ? "replaced" : asOut(reason)),
  onRefused: (error) => {
    refusal = error.message;
    if (error.isPassing) goOut("failed");
    else goOut(error.code === "session_ended" ? "session_ended" : "revoked");
  },
  onChatRefused: (key, error) => {
    unsent.get(key)?.remove();
    unsent.delete(key);
    warn(error.message);
    toast(error.message, { mark: "warn" });
  },
  onStill: (still) => modes.gotStill(still),
  onStillSeen: (seen) => modes.gotStillSeen(seen),
});

const recording = new RecordingBar(live, session, (participant) => peers.get(participant)?.name ?? "");

const reception = new Reception();

const modes = new Modes({
  line: {
    reportsByPeer: () => (way.media === "relay" ? forwarded : call).reportsByPeer(),
    adapt: (participant, decision) => {
      if (way.media === "relay") forwarded.adapt(decision);
      else call.adapt(participant, decision);
    },
  },
  lack: lackOfPictures,
  seat,
  capture: captureStill,
  onChange: () => {
    // Whatever this page sends beside the call waits until the call has all it needs.
    dispatchEvent(new CustomEvent("telemed:rung", { detail: modes.own.rung }));
    quality.setMode(QUALITY_MODES[modes.own.rung]);
    desk.look();
    show();
  },
  onStill: (participant, image) => {
    stages.setStill(participant, image);
    show();
  },
});

const invites = new InviteDesk({ seat, own: () => own });

const desk = new PictureDesk({
  consult: room.dataset.consult ?? "",
  seat,
  media,
  camera: () => ownStream.getVideoTracks()[0] ?? null,
  peers: () => peers.values(),
  rung: () => modes.own.rung,
});

const quality = new QualityRecord({ page: crypto.randomUUID().replaceAll("-", "").slice(0, 22) });
const keeper = new QualityKeeper(quality, { look: reportsOfBoth, tell: tellQuality });

/** @param {object} summary */
function tellQuality(summary) {
  const headers = { "Content-Type": "application/json", "X-By-Itself": "1" };
  const body = JSON.stringify(summary);
  // What does not arrive is in the next one.
  fetch(`/sessions/${session}/quality`, { method: "POST", headers, body, keepalive: true }).catch(() => {});
}

function beginRenewalsAnew() {
  renewals.reset();
  isMediaLost = false;
}

/** @param {string} reason @returns {Out} */
function asOut(reason) {
  if (reason === "session_ended" || reason === "revoked" || reason === "link_lost") return reason;
  return "left";
}

/** @param {Joined} joined */
function gotJoined(joined) {
  own = joined.participant;
  clockAhead = Date.parse(joined.now) - Date.now();
  const present = new Set(joined.participants.map((peer) => peer.participant));
  for (const gone of [...peers.keys()].filter((participant) => !present.has(participant))) {
    forget(gone);
  }
  for (const peer of joined.participants) {
    peers.set(peer.participant, peer);
    modes.gotMode(peer.participant, peer.mode);
  }
  setRing(joined.session.ring_expires_at);
  if (peers.size > 0) quality.met(true);
  ownEpoch = joined.epoch;
  servers.take(joined);
  forwarded.configure(joined.ice_servers);
  if (joined.media === "relay") call.pause();
  call.adopt(joined);
  gotWay(joined);
  recording.joined(joined);
  desk.joined(own);
  show();
}

/** @param {import("../seat.js").Way} now */
function gotWay({ media: to, publishers }) {
  const isOther = to !== way.media;
  way = { media: to, publishers };
  if (isOther) stayOnBoth();
  if (isOther) {
    reception.clear();
    forwarded.adapt(modes.begin(to === "relay"));
  }
  if (to === "relay") {
    call.pause();
    forwarded.follow({ own, epoch: ownEpoch, publishers });
  } else if (isOther) call.resume(peers.values());
  show();
}

function stayOnBoth() {
  clearTimeout(leaving);
  leaving = undefined;
  arrived.clear();
}

/** All are seen and heard the new way: the old one ends when the other side has gone over too. */
function leaveOldWay() {
  // Whoever came after the change was never there the old way.
  const awaited = way.media === "relay" ? call.participants : [...peers.keys()];
  if (awaited.length === 0 || awaited.some((participant) => !arrived.has(participant))) return;
  leaving ??= setTimeout(() => (way.media === "relay" ? call.end() : forwarded.close()), LINGER_MS);
}

/** Whether the relay leaves pictures out for this page. */
async function lackOfPictures() {
  if (way.media !== "relay") return null;
  const before = reception.without.size;
  reception.look(performance.now(), await forwarded.received(), isPictureExpected);
  if (reception.without.size !== before) show();
  return reception.without.size > 0 ? { rung: /** @type {const} */ ("voice"), reason: reception.reason } : null;
}

/** @param {string} participant */
function isPictureExpected(participant) {
  const peer = peers.get(participant);
  if (!peer?.connected || peer.camera_off || !forwarded.wants(participant)) return false;
  return ["full", "small"].includes(peer.mode?.rung ?? "small");
}

async function reportsOfBoth() {
  return [...(await call.reports()), ...(await forwarded.reports())];
}

/** @param {string} participant */
function forget(participant) {
  peers.delete(participant);
  connections.delete(participant);
  modes.drop(participant);
  call.drop(participant);
  stages.drop(participant);
}

/** @param {string | null} until */
function setRing(until) {
  clearTimeout(ringTimer);
  ringsUntil = until ? Date.parse(until) - clockAhead : 0;
  hasBeenCalled ||= ringsUntil > Date.now();
  if (ringsUntil > Date.now()) ringTimer = setTimeout(show, ringsUntil - Date.now() + 50);
}

/** @param {LogEvent} event */
function gotEvent(event) {
  const name = event.participant === own && own ? t("Bạn") : (event.name ?? "");
  if (event.kind === "chat") return showMessage(event, name);
  if (event.kind === "ring_started") setRing(event.data.expires_at);
  if (RING_OVER.has(event.kind) && event.participant !== own) setRing(null);
  const picture = desk.gotEvent(event);
  if (picture) chatLog.append(picture);
  recording.gotEvent(event);
  const words = wordsOf(event.kind, name, event.data) || recordingWords(event.kind, name, event.data);
  if (event.kind === "participant_joined" && event.data.capacity && event.participant !== own) announce(words);
  if (words) chatLog.append(make("p", { class: "sys small soft" }, `${formatTime(event.at)} ${words}`));
  scrollChat();
  show();
}

/** Nobody comes in unnoticed. @param {string} words */
function announce(words) {
  say(words);
  toast(words, { mark: "user" });
}

let isShowPending = false;

/** Once for whatever happens together. */
function show() {
  if (isShowPending) return;
  isShowPending = true;
  setTimeout(() => {
    isShowPending = false;
    render();
  });
}

/** @type {Record<Act, () => void>} */
const acts = {
  sign_in: () => location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`),
  enter,
  call: () => void callAgain(),
  home: () => location.assign("/home"),
  reconnect: () => live.connect(),
  renew: () => {
    beginRenewalsAnew();
    void seat.renew();
    show();
  },
};

function render() {
  const peer = peers.values().next().value ?? null;
  const { text, tone = "", act, label: words = "" } = situationOf({
    link: live.link,
    out,
    refusal,
    isIn: seat.isIn,
    peer,
    connection: connections.get(peer?.participant ?? "") ?? "new",
    isMediaLost,
    other,
    isRinging: ringsUntil > Date.now(),
    hasBeenCalled,
  });
  const box = find("[data-role=situation]", HTMLElement);
  box.hidden = !text;
  box.className = `note split ${tone}`;
  if (text !== spoken) {
    find("[data-role=situation-words]", HTMLElement).textContent = text;
    spoken = text;
  }
  const button = find("[data-role=situation-act]", HTMLButtonElement);
  button.hidden = !act;
  button.textContent = words;
  button.onclick = act ? acts[act] : null;
  button.onpointerenter = act === "enter" ? () => beReady() : null;
  button.onfocus = act === "enter" ? () => beReady() : null;
  showPeople();
  showMode();
  showControls();
  desk.show();
  invites.show(peers.values(), seat.isIn);
}

function showMode() {
  const lowest = lowestOf(peers.values());
  const { rung, text } = modeOf(modes.own, lowest?.mode ?? null, lowest?.name ?? other);
  const box = find("[data-role=mode]", HTMLElement);
  box.hidden = !text || !lowest;
  box.dataset.rung = rung;
  const words = find("[data-role=mode-words]", HTMLElement);
  if (words.textContent !== text) words.textContent = text;
  for (const each of box.querySelectorAll("[data-rung]")) {
    if (each.getAttribute("data-rung") === rung) each.setAttribute("aria-current", "true");
    else each.removeAttribute("aria-current");
  }
}

/**
 * The own picture as it is now, small.
 * @param {import("../ladder.js").Still} still
 */
async function captureStill({ width, height, quality, mostBytes }) {
  if (media.state.camera_off || ownVideo.videoWidth === 0) return "";
  canvas.width = width;
  canvas.height = height;
  canvas.getContext("2d")?.drawImage(ownVideo, 0, 0, width, height);
  // What is rich in detail or noise is made coarser until it fits.
  for (const factor of [1, 0.5, 0.2, 0.02]) {
    const blob = await /** @type {Promise<Blob | null>} */ (
      new Promise((resolve) => canvas.toBlob(resolve, "image/webp", quality * factor))
    );
    if (!blob || blob.type !== "image/webp") return "";
    if (blob.size <= mostBytes) return btoa(String.fromCharCode(...new Uint8Array(await blob.arrayBuffer())));
  }
  return "";
}

function showPeople() {
  stages.show(peers.values(), { isRelayed: way.media === "relay", without: reception.without });
  const people = find("[data-role=people]", HTMLElement);
  const names = [t("Bạn"), ...[...peers.values()].map(({ name, capacity }) => (capacity ? `${name} – ${capacityWords(capacity)}` : name))];
  people.replaceChildren(...names.map((name) => make("li", { class: "row soft" }, icon("user"), make("span", {}, name))));
}

function showControls() {
  const { muted, camera_off } = media.state;
  toggle("voice", !muted, "mic", muted ? t("Tiếng tắt") : t("Tiếng bật"));
  toggle("picture", !camera_off, "video", camera_off ? t("Hình tắt") : t("Hình bật"));
  find("[data-role=own-stage]", HTMLElement).dataset.picture = camera_off ? "off" : "on";
  for (const role of ["voice", "picture", "open-devices", "leave"]) {
    find(`[data-role=${role}]`, HTMLButtonElement).disabled = out !== "";
  }
}

/** @param {string} role @param {boolean} isOn @param {string} mark @param {string} words */
function toggle(role, isOn, mark, words) {
  const button = find(`[data-role=${role}]`, HTMLButtonElement);
  if (button.dataset.on === String(isOn)) return;
  button.dataset.on = String(isOn);
  button.classList.toggle("no", !isOn);
  label(button, isOn ? mark : `${mark}-off`, words);
}

/** @param {TrackKind} kind @param {ProblemKind | null} problem */
function showProblem(kind, problem) {
  const place = find(`[data-role=problem-${kind}]`, HTMLElement);
  place.hidden = !problem;
  if (problem) label(place, "warn", problemWords(kind, problem));
  void showDevices();
}

async function showDevices() {
  for (const kind of /** @type {const} */ (["audio", "video"])) {
    const select = find(`[data-role=choose-${kind}]`, HTMLSelectElement);
    const list = await devices.list(kind);
    const options = list.map(({ id, label: name }, index) =>
      make("option", { value: id }, name || t("Thiết bị {number}", { number: index + 1 })),
    );
    select.replaceChildren(...options);
    select.value = media.deviceOf(kind);
    select.disabled = list.length === 0;
  }
}

/** @param {LogEvent} event @param {string} name */
function showMessage(event, name) {
  unsent.get(event.data.key)?.remove();
  unsent.delete(event.data.key);
  chatLog.append(bubble(`${name} · ${formatTime(event.at)}`, event.data.text, event.participant === own));
  scrollChat();
}

/** @param {string} head @param {string} text @param {boolean} isMine */
function bubble(head, text, isMine) {
  return make(
    "div",
    { class: isMine ? "msg mine" : "msg" },
    make("p", { class: "small soft" }, head),
    make("p", { class: "said" }, text),
  );
}

function scrollChat() {
  // Only the log moves: whoever writes the minutes above it stays where they are.
  chatLog.scrollTop = chatLog.scrollHeight;
}

async function callAgain() {
  try {
    const { expires_at } = await seat.ring();
    setRing(expires_at);
  } catch (error) {
    if (error instanceof Error) toast(error.message, { mark: "warn" });
  }
  show();
}

function enter() {
  out = "";
  refusal = "";
  void media.start();
  quality.entered();
  quality.setMode(QUALITY_MODES[modes.own.rung]);
  keeper.start();
  call.start();
  stages.start();
  modes.start();
  clearTimeout(readyTimer);
  call.prepare(servers.good);
  seat.enter();
  show();
}

/** @param {Out} reason */
function goOut(reason) {
  out = reason;
  keeper.stop();
  modes.stop();
  call.close();
  media.close();
  recording.close();
  peers.clear();
  connections.clear();
  desk.close();
  forwarded.close();
  stages.stop();
  stayOnBoth();
  way = { media: "direct", publishers: [] };
  show();
}

/** Whoever went out may come back: what takes time is done before they press. */
function beReady() {
  clearTimeout(readyTimer);
  call.prepare(servers.good);
  readyTimer = setTimeout(() => call.close(), READY_MS);
}

async function leave() {
  const left = seat.leave();
  goOut("left");
  // Without a link the server finds out by itself.
  await left.catch(() => {});
}

/** @param {KeyboardEvent} event */
function gotKey(event) {
  const isTyping = event.target instanceof Element && event.target.closest("input,textarea,select,dialog");
  if (event.key === "F2") {
    event.preventDefault();
    find("[data-role=voice]", HTMLButtonElement).focus();
  } else if (!isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    if (event.key.toLowerCase() === "m") void voice();
    if (event.key.toLowerCase() === "v") void picture();
    if (event.key.toLowerCase() === "s") void desk.ask();
  }
}

async function voice() {
  await media.toggleVoice();
  say(stateWords(media.state));
}

async function picture() {
  await media.togglePicture();
  say(stateWords(media.state));
}

/** @param {string} role @param {() => void} act */
function onPress(role, act) {
  find(`[data-role=${role}]`, HTMLButtonElement).addEventListener("click", act);
}

onPress("voice", () => void voice());
onPress("picture", () => void picture());
onPress("leave", () => {
  void leave();
  beReady();
});
onPress("open-devices", () => {
  void showDevices();
  deviceBox.showModal();
});
for (const kind of /** @type {const} */ (["audio", "video"])) {
  const select = find(`[data-role=choose-${kind}]`, HTMLSelectElement);
  select.addEventListener("change", () => void media.choose(kind, select.value));
}
const modeChoice = find("[data-role=choose-mode]", HTMLSelectElement);
modeChoice.addEventListener("change", () => {
  const rung = /** @type {import("../ladder.js").Rung | ""} */ (modeChoice.value);
  modes.choose(rung || null);
  forwarded.limit(MOST_RELAYED[rung || "full"]);
});
chatForm.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = chatText.value.trim();
  if (!text || out) return;
  chatText.value = "";
  const waiting = bubble(`${t("Bạn")} · ${t("Đang gửi")}`, text, true);
  chatLog.append(waiting);
  unsent.set(seat.say(text), waiting);
  scrollChat();
});
addEventListener("keydown", gotKey);
addEventListener("pagehide", () => {
  if (!out) void leave();
});
devices.onChange(() => void showDevices());
addEventListener("online", () => {
  if (live.link === "lost") live.connect();
});
live.onLink((link) => {
  dispatchEvent(new CustomEvent("telemed:link", { detail: link === "up" ? "ok" : "off" }));
  // Who is no longer signed in is no longer in the room.
  if (link === "refused" && !out) goOut("revoked");
  show();
});
// Held for as long as the page lives.
void navigator.locks?.request(CALL_LOCK, { mode: "shared" }, () => new Promise(() => {}));
enter();
live.connect();
