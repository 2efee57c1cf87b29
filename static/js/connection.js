// @ts-check
/**
 * One peer connection to one other participant: perfect negotiation, tracks, what has come in.
 * No DOM, no server. docs/protocol.md section 7.
 */
import { asAnswer, shapedForVoice } from "./ladder.js";

const STALLED_AFTER_MS = 1500;
/** A narrow link stands still for a second or two whenever something else has to pass it. */
const NARROW_STALLED_AFTER_MS = 3000;
const SILENT_AFTER_MS = 7000;
const SLOW_AFTER_MS = 5000;
const TROUBLE_AGAIN_AFTER_MS = 4000;
const RENEW_AFTER_MS = 15000;
const ANSWER_AFTER_MS = 8000;
const MISSED_AFTER_MS = 3000;
const FLOW_WINDOW_MS = 1000;
// More than the consent checks alone, less than voice in long packets over a bad line.
const FLOWING_PACKETS = 8;
/** Every browser has these; the others would make three quarters of a description, and a description takes seconds of a narrow link. */
const CODECS = { audio: ["audio/opus", "audio/red"], video: ["video/vp8", "video/rtx"] };

/**
 * @typedef {import("./seat.js").Peer} Peer
 * @typedef {import("./seat.js").Joined} Joined
 * @typedef {import("./seat.js").Signal} Signal
 * @typedef {import("./ladder.js").Sending} Sending
 * @typedef {{ isRedundant: boolean, sending: Sending }} Adapted
 * @typedef {"audio" | "video"} TrackKind
 * @typedef {{ description: RTCSessionDescriptionInit } | { candidate: RTCIceCandidateInit | null }} SignalContent
 * @typedef {{ framesDecoded: number, packetsReceived: number, pulse: number, roundTripMs: number | null }} Figures
 *
 * @typedef {object} CallParts
 * @property {(kind: Signal["kind"], to: string, epoch: number, content: SignalContent) => Promise<unknown>} send
 * @property {(participant: string, track: MediaStreamTrack, receiver: RTCRtpReceiver, origin: object) => void} onTrack
 * @property {(participant: string, state: RTCPeerConnectionState) => void} onConnection
 * @property {(participant: string) => void} onTrouble Media has stopped coming: look at the link, then `mend`.
 * @property {() => void} onRenew Restarting did not help: join anew.
 * @property {(config: RTCConfiguration) => RTCPeerConnection} [createConnection]
 * @property {() => number} [now] Milliseconds that only grow.
 */

/** Tells silence that is meant from silence that is a broken path. */
export class MediaWatch {
  #startedAt;
  #beatAt;
  /** The last second of beats: when, and how much had been received. @type {[number, number][]} */
  #beats = [];
  #wasFlowing = false;

  /** @param {number} now */
  constructor(now) {
    this.#startedAt = now;
    this.#beatAt = now;
  }

  /**
   * @param {number} pulse a count of everything received, media and consent checks alike
   * @param {RTCPeerConnectionState} state
   * @param {number} now
   * @param {boolean} [isNarrow] nothing but voice fits
   * @returns {boolean} true when nothing comes that should be coming
   */
  isStalled(pulse, state, now, isNarrow = false) {
    if (pulse !== this.#beats.at(-1)?.[1]) {
      this.#beats.push([now, pulse]);
      while (this.#beats.length > 1 && this.#beats[1][0] <= now - FLOW_WINDOW_MS) this.#beats.shift();
      // Over a whole second: between the last two looks before a stop there may be hardly anything.
      this.#wasFlowing = pulse - this.#beats[0][1] >= FLOWING_PACKETS;
      this.#beatAt = now;
    }
    if (state === "disconnected" || state === "failed") return true;
    if (state !== "connected") return now - this.#startedAt >= SLOW_AFTER_MS;
    const stalledAfter = isNarrow ? NARROW_STALLED_AFTER_MS : STALLED_AFTER_MS;
    // A peer with everything switched off still answers the consent checks, every few seconds.
    return now - this.#beatAt >= (this.#wasFlowing ? stalledAfter : SILENT_AFTER_MS);
  }
}

/** One RTCPeerConnection to one other participant, of one epoch; begun before it is known whom to. */
export class Connection {
  /** @type {Peer | null} */
  #peer = null;
  /** What has to be sent once it is known to whom. @type {[Signal["kind"], SignalContent][]} */
  #unaddressed = [];
  #parts;
  #pc;
  /** @type {RTCConfiguration | null} */
  #fresh = null;
  #tracks;
  #local;
  /** @type {Promise<void>} */
  #chain = Promise.resolve();
  #isOfferWanted = false;
  #isIgnoringOffer = false;
  #hasServers;
  #isClosed = false;
  hasSentIntoTheVoid = false;
  /** @type {RTCIceCandidateInit[]} */
  #earlyCandidates = [];
  /** @type {Map<TrackKind, RTCRtpSender>} */
  #senders = new Map();
  #watch;
  /** @type {number | null} */
  #troubleAt = null;
  #toldAt = -Infinity;
  #restartedAt = -Infinity;
  #offeredAt = -Infinity;
  /** @type {Adapted | null} */
  #adapted;
  /** The last description of the other side, as it came. */
  #said = "";
  /** How voice is sent by the last description. */
  #shape = "";

  /**
   * @param {RTCConfiguration} config
   * @param {Map<TrackKind, MediaStreamTrack | null>} tracks shared with the call
   * @param {MediaStream | null} local what the tracks are heard and seen together as
   * @param {Required<CallParts>} parts
   * @param {Adapted | null} adapted how to send from the first packet on; null as the browser does
   */
  constructor(config, tracks, local, parts, adapted = null) {
    this.#adapted = adapted;
    this.#shape = shapeOf(adapted);
    this.epoch = 0;
    this.#tracks = tracks;
    this.#local = local;
    this.#parts = parts;
    this.#hasServers = (config.iceServers ?? []).length > 0;
    this.#watch = new MediaWatch(parts.now());
    this.#pc = parts.createConnection(config);
    this.#pc.onnegotiationneeded = () => this.offer();
    this.#pc.onicecandidate = ({ candidate }) => {
      // Two browsers can only begin over TCP, neither waits for it: of no use but to delay the others.
      if (candidate?.protocol === "tcp" && candidate.type === "host") return;
      this.#send("candidate", { candidate: plainCandidate(candidate) });
    };
    this.#pc.ontrack = ({ track, receiver }) =>
      this.#peer && parts.onTrack(this.#peer.participant, track, receiver, this);
    this.#pc.onconnectionstatechange = () => this.#gotState();
  }

  get state() {
    return this.#pc.connectionState;
  }

  get isWell() {
    return this.state === "connected" && !this.hasSentIntoTheVoid && this.#troubleAt === null;
  }

  /** @param {Peer} peer */
  update(peer) {
    this.#peer = peer;
  }

  /**
   * Whom it is to, from now on.
   * @param {Peer} peer
   * @param {number} epoch
   */
  address(peer, epoch) {
    this.#peer = peer;
    this.epoch = epoch;
    this.#watch = new MediaWatch(this.#parts.now());
    const waiting = this.#unaddressed.splice(0);
    // The description by now names every candidate there has been: one message instead of eight.
    if (waiting.some(([kind]) => kind === "offer")) this.#sendLocal();
    else for (const [kind, content] of waiting) this.#send(kind, content);
  }

  /**
   * Other servers, or fresh credentials, from the next search for a path on: until then the one
   * that runs is left alone.
   * @param {RTCConfiguration} config
   */
  configure(config) {
    this.#fresh = config;
  }

  #freshen() {
    if (this.#fresh) this.#pc.setConfiguration(this.#fresh);
    this.#fresh = null;
  }

  /** Be the side that begins: two sections, audio then video, whatever is switched off. */
  begin() {
    this.#freshen();
    const streams = this.#local ? [this.#local] : [];
    for (const kind of /** @type {const} */ (["audio", "video"])) {
      const with_ = this.#tracks.get(kind) ?? kind;
      const transceiver = this.#pc.addTransceiver(with_, { direction: "sendrecv", streams });
      preferCodecs(transceiver, kind);
      this.#senders.set(kind, transceiver.sender);
    }
    this.#then(() => this.#applySending());
    // At once, instead of when the browser gets round to asking for it.
    this.offer();
  }

  /** Offer as soon as what came before is done. */
  offer() {
    if (this.#isOfferWanted) return;
    this.#isOfferWanted = true;
    this.#then(async () => {
      this.#isOfferWanted = false;
      await this.#pc.setLocalDescription();
      this.#sendLocal();
    });
  }

  /** Find a new path, unless what had stopped goes on, or the other side has still to answer. */
  mend() {
    if (this.#troubleAt === null) return;
    const isAsked = this.#pc.signalingState === "have-local-offer" && !this.hasSentIntoTheVoid;
    if (!isAsked || this.#parts.now() - this.#restartedAt >= ANSWER_AFTER_MS) this.restart();
  }

  /** The other side is there, perhaps again: make good what may have passed it by. */
  makeGood() {
    if (this.hasSentIntoTheVoid) this.restart();
    else this.#repeatOffer(MISSED_AFTER_MS);
  }

  /** Find a new path. */
  restart() {
    this.#restartedAt = this.#parts.now();
    this.hasSentIntoTheVoid = false;
    this.#freshen();
    this.#pc.restartIce();
    this.offer();
  }

  /** @param {Signal} signal */
  got(signal) {
    const { description, candidate } = signal;
    this.#then(async () => {
      if (description) await this.#gotDescription(description);
      else await this.#gotCandidate(candidate ?? null);
    });
  }

  /**
   * @param {TrackKind} kind
   * @param {MediaStreamTrack | null} track
   */
  async replaceTrack(kind, track) {
    await this.#senders.get(kind)?.replaceTrack(track);
  }

  /**
   * Send like this from now on.
   * @param {Adapted} adapted
   */
  adapt(adapted) {
    const isSame = JSON.stringify(adapted.sending) === JSON.stringify(this.#adapted?.sending);
    this.#adapted = adapted;
    if (!isSame) this.#then(() => this.#applySending());
    if (this.state !== "connected" || this.#shape === shapeOf(adapted)) return;
    this.#shape = shapeOf(adapted);
    this.#then(() => this.#repack());
  }

  /** Look at what has come in; told as trouble when nothing has. */
  async look() {
    const { pulse } = await this.figures();
    if (this.#isClosed) return;
    const now = this.#parts.now();
    this.#repeatOffer(ANSWER_AFTER_MS);
    const isNarrow = this.#adapted?.sending.picture === null;
    if (this.#watch.isStalled(pulse, this.state, now, isNarrow)) this.#inTrouble(now);
    else if (this.state === "connected") this.#isBack();
  }

  /** Everything the browser counts of it. */
  report() {
    return this.#pc.getStats();
  }

  /** @returns {Promise<Figures>} */
  async figures() {
    const figures = { framesDecoded: 0, packetsReceived: 0, pulse: 0, roundTripMs: null };
    const report = await this.report();
    report.forEach((entry) => addFigures(figures, entry));
    return figures;
  }

  close() {
    this.#isClosed = true;
    this.#pc.onnegotiationneeded = null;
    this.#pc.onicecandidate = null;
    this.#pc.ontrack = null;
    this.#pc.onconnectionstatechange = null;
    this.#pc.close();
  }

  /** @param {number} now */
  #inTrouble(now) {
    const peer = this.#peer;
    if (!peer) return;
    this.#troubleAt ??= now;
    // One side first, so that both do not make new connections at the same moment.
    const patience = peer.polite ? 2 * RENEW_AFTER_MS : RENEW_AFTER_MS;
    if (peer.connected && now - this.#troubleAt >= patience) {
      this.#troubleAt = now;
      this.#parts.onRenew();
    } else if (now - this.#toldAt >= TROUBLE_AGAIN_AFTER_MS) {
      this.#toldAt = now;
      this.#parts.onTrouble(peer.participant);
    }
  }

  /** Nothing that comes now builds on what was lost: the other side would only ask after 3 s. */
  #isBack() {
    if (this.#troubleAt === null) return;
    this.#troubleAt = null;
    this.#then(() => this.#sendWholePicture());
  }

  async #sendWholePicture() {
    const sender = this.#senders.get("video");
    const parameters = sender?.getParameters();
    if (!sender || !parameters?.encodings.some(({ active }) => active)) return;
    const encodingOptions = parameters.encodings.map(() => ({ keyFrame: true }));
    await sender.setParameters(parameters, /** @type {RTCSetParameterOptions} */ ({ encodingOptions }));
  }

  #gotState() {
    if (this.state === "connected") this.#isBack();
    if (this.#peer) this.#parts.onConnection(this.#peer.participant, this.state);
  }

  /** @param {RTCSessionDescriptionInit} description */
  async #gotDescription(description) {
    const pc = this.#pc;
    const isGlare = description.type === "offer" && pc.signalingState === "have-local-offer";
    this.#isIgnoringOffer = isGlare && !this.#peer?.polite;
    if (this.#isIgnoringOffer) return;
    // An answer to an offer that has been rolled back, or a repeated one.
    if (description.type === "answer" && pc.signalingState !== "have-local-offer") return;
    const isFirst = pc.remoteDescription === null;
    const isNewPath = pathOf(description) !== pathOf(pc.remoteDescription);
    // The other side looks for a path, so this side does as well.
    if (description.type === "offer" && isNewPath) this.#freshen();
    // With an offer of our own out, the browser rolls it back by itself.
    await pc.setRemoteDescription(this.#shaped(description));
    this.#said = description.sdp ?? "";
    for (const candidate of this.#earlyCandidates.splice(0)) await pc.addIceCandidate(candidate);
    if (description.type !== "offer") return;
    // The browser does these one after the other by itself.
    const attached = this.#attachTracks();
    if (isFirst) await this.#answerFirst();
    else {
      await pc.setLocalDescription();
      this.#sendLocal();
    }
    await attached;
    await this.#applySending();
  }

  /** Said before it is kept, which takes as long again: the other side needs longer to take it. */
  async #answerFirst() {
    const pc = this.#pc;
    const { sdp = "" } = await pc.createAnswer();
    this.#send("answer", { description: { type: "answer", sdp } });
    // Chromium throws the candidates that were gathered beforehand away at an answer, and uses them
    // at a provisional one. A TURN server's would be looked for 50 ms later than the others.
    if (this.#hasServers) await pc.setLocalDescription({ type: "pranswer", sdp }).catch(() => {});
    await pc.setLocalDescription({ type: "answer", sdp });
  }

  /** @param {RTCSessionDescriptionInit} description */
  #shaped(description) {
    if (!this.#adapted || !description.sdp) return description;
    const { isRedundant, sending } = this.#adapted;
    const { packetMs, picture } = sending;
    const sdp = shapedForVoice(description.sdp, { isRedundant, packetMs, isAlone: picture === null });
    return { type: description.type, sdp };
  }

  /** How voice is packed stands in the other side's description: take it anew. */
  async #repack() {
    const pc = this.#pc;
    const local = pc.localDescription;
    // With an offer of the own out, the answer to it will be shaped.
    if (pc.signalingState !== "stable" || !this.#said || !local) return;
    // Who is which side of the encryption stands in the first answer alone.
    this.#said = asAnswer(this.#said, local.sdp);
    await pc.setLocalDescription();
    try {
      const answer = { type: /** @type {const} */ ("answer"), sdp: this.#said };
      await pc.setRemoteDescription(this.#shaped(answer));
    } catch (error) {
      await pc.setLocalDescription({ type: "rollback" });
      throw error;
    }
  }

  async #applySending() {
    const adapted = this.#adapted;
    if (!adapted) return;
    for (const [kind, sender] of this.#senders) {
      const parameters = sender.getParameters();
      // There are none before the first description of an answering side.
      if (parameters.encodings.length === 0) continue;
      if (kind === "audio") sendVoice(parameters, adapted.sending);
      else sendPicture(parameters, adapted.sending);
      await sender.setParameters(parameters);
    }
  }

  /** @param {RTCIceCandidateInit | null} candidate */
  async #gotCandidate(candidate) {
    if (!candidate || this.#isIgnoringOffer) return;
    if (this.#pc.remoteDescription) await this.#pc.addIceCandidate(candidate);
    else this.#earlyCandidates.push(candidate);
  }

  async #attachTracks() {
    const replaced = [];
    for (const transceiver of this.#pc.getTransceivers()) {
      const { receiver, sender } = transceiver;
      const kind = /** @type {TrackKind} */ (receiver.track.kind);
      if (this.#senders.get(kind) === sender) continue;
      this.#senders.set(kind, sender);
      transceiver.direction = "sendrecv";
      if (this.#local) sender.setStreams?.(this.#local);
      replaced.push(sender.replaceTrack(this.#tracks.get(kind) ?? null));
    }
    await Promise.all(replaced);
  }

  /**
   * An offer or answer that is lost would be waited for as long as media goes on over the path that
   * there was, and nothing else could be agreed upon: how voice is packed, or the next path.
   * @param {number} patience (ms)
   */
  #repeatOffer(patience) {
    if (!this.#peer?.connected || this.#pc.signalingState !== "have-local-offer") return;
    if (this.#parts.now() - this.#offeredAt >= patience) this.#sendLocal();
  }

  #sendLocal() {
    const local = this.#pc.localDescription;
    if (!local || local.type === "rollback" || local.type === "pranswer") return;
    if (local.type === "offer") this.#offeredAt = this.#parts.now();
    this.#send(local.type, { description: { type: local.type, sdp: local.sdp } });
  }

  /**
   * @param {Signal["kind"]} kind
   * @param {SignalContent} content
   */
  #send(kind, content) {
    if (!this.#peer) {
      this.#unaddressed.push([kind, content]);
      return;
    }
    this.#parts.send(kind, this.#peer.participant, this.epoch, content).catch(() => {
      this.hasSentIntoTheVoid = true;
    });
  }

  /**
   * What arrives is worked off in order, one after the other.
   * @param {() => Promise<void>} step
   */
  #then(step) {
    this.#chain = this.#chain.then(async () => {
      if (this.#isClosed) return;
      try {
        await step();
      } catch (error) {
        if (this.#isClosed) return;
        // Nonsense from the other side leaves the connection as it was; the watch finds it if it
        // was needed.
        console.warn("signal not taken", error);
      }
    });
  }
}

/** @param {RTCRtpTransceiver} transceiver @param {TrackKind} kind */
function preferCodecs(transceiver, kind) {
  const known = globalThis.RTCRtpReceiver?.getCapabilities?.(kind)?.codecs ?? [];
  const wanted = known.filter(({ mimeType }) => CODECS[kind].includes(mimeType.toLowerCase()));
  if (wanted.length > 0) transceiver.setCodecPreferences?.(wanted);
}

/** How voice is packed. @param {Adapted | null} adapted */
export function shapeOf(adapted) {
  const { isRedundant = false, sending } = adapted ?? {};
  return `${isRedundant} ${sending?.packetMs ?? 20} ${sending?.picture === null}`;
}

/** @param {RTCRtpSendParameters} parameters @param {Sending} sending */
export function sendVoice(parameters, { voice, voiceBitrate }) {
  for (const encoding of parameters.encodings) {
    Object.assign(encoding, { active: voice, maxBitrate: voiceBitrate, priority: "high", networkPriority: "high" });
  }
}

/** @param {RTCRtpSendParameters} parameters @param {Sending} sending */
function sendPicture(parameters, { picture }) {
  // A picture that follows the hand matters more than a sharp one, where there is too little for both.
  Object.assign(parameters, { degradationPreference: "maintain-framerate" });
  for (const encoding of parameters.encodings) {
    encoding.active = picture !== null;
    if (!picture) continue;
    const { maxBitrate, scaleResolutionDownBy, maxFramerate } = picture;
    Object.assign(encoding, { maxBitrate, scaleResolutionDownBy, priority: "low", networkPriority: "low" });
    if (maxFramerate === null) delete encoding.maxFramerate;
    else encoding.maxFramerate = maxFramerate;
  }
}

/**
 * Exactly the fields of the protocol; browsers add their own.
 * @param {RTCIceCandidate | null} candidate
 * @returns {RTCIceCandidateInit | null}
 */
function plainCandidate(candidate) {
  if (!candidate) return null;
  const { candidate: line, sdpMid, sdpMLineIndex, usernameFragment } = candidate;
  return { candidate: line, sdpMid, sdpMLineIndex, usernameFragment };
}

/**
 * What stays the same for as long as the same path is used.
 * @param {RTCSessionDescriptionInit | null} description
 */
function pathOf(description) {
  return description && (description.sdp?.match(/^a=ice-ufrag:(.*)$/m)?.[1] ?? "");
}

/**
 * @param {Figures} figures
 * @param {any} entry
 */
function addFigures(figures, entry) {
  if (entry.type === "inbound-rtp") {
    figures.packetsReceived += entry.packetsReceived ?? 0;
    figures.pulse += entry.packetsReceived ?? 0;
    figures.framesDecoded += entry.framesDecoded ?? 0;
  } else if (entry.type === "candidate-pair" && entry.nominated) {
    figures.pulse += (entry.responsesReceived ?? 0) + (entry.requestsReceived ?? 0);
    if (entry.currentRoundTripTime !== undefined) {
      figures.roundTripMs = Math.round(entry.currentRoundTripTime * 1000);
    }
  }
}
