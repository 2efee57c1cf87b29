// @ts-check
/**
 * This page's connections to the relay: one that sends, one that receives from everybody. Both are
 * made anew beside the one before. No DOM, no server. docs/protocol.md section 7.
 */
import { Attempts } from "./attempts.js";
import { Uplink, layersOf } from "./uplink.js";

const LOOK_AGAIN_MS = 8000;
// A TURN server that does not answer must not keep anybody from a relay that is in the open.
const KNOWN_WITHIN_MS = 1000;
// The others may still be showing what goes the old way.
export const LINGER_MS = 4000;
/** Whom the ladder's figures are about: the relay, not a participant. */
export const RELAY = "";
/** @type {Picture[]} */
const PICTURES = ["none", "small", "large"];
const KINDS = /** @type {const} */ (["audio", "video"]);

/**
 * @typedef {import("./connection.js").TrackKind} TrackKind
 * @typedef {{ participant: string, number: number }} Publication
 * @typedef {{ own: string, epoch: number, publishers: Publication[] }} Wanted
 * @typedef {"large" | "small" | "none"} Picture
 * @typedef {import("./connection.js").Adapted} Adapted
 * @typedef {import("./reception.js").Counted} Counted
 *
 * @typedef {object} ForwardedParts
 * @property {(event: "publish" | "subscribe" | "wish", payload: object) => Promise<any>} ask
 * @property {(participant: string, track: MediaStreamTrack, receiver: RTCRtpReceiver, origin: object) => void} onTrack
 * @property {(participant: string, state: RTCPeerConnectionState) => void} onConnection
 * @property {(config: RTCConfiguration) => RTCPeerConnection} [createConnection]
 */

/** One RTCPeerConnection to the relay, and whom it concerns. */
class Leg {
  /** @param {RTCPeerConnection} pc @param {string[]} participants */
  constructor(pc, participants) {
    this.pc = pc;
    this.participants = participants;
    /** Who is not seen and heard through it yet. */
    this.awaited = new Set(participants);
    /** @type {Map<TrackKind, RTCRtpSender>} */
    this.senders = new Map();
    /** @type {Uplink | null} */
    this.uplink = null;
    /** Whose each section is. @type {Map<RTCRtpTransceiver, string>} */
    this.of = new Map();
  }

  close() {
    this.pc.onconnectionstatechange = null;
    this.pc.ontrack = null;
    this.pc.close();
  }
}

/** Publishes while it is wanted, and watches whoever publishes. */
export class Forwarded {
  #parts;
  #local;
  /** @type {RTCConfiguration} */
  #config = {};
  /** @type {Wanted | null} */
  #wanted = null;
  /** @type {Map<TrackKind, MediaStreamTrack | null>} */
  #tracks = new Map();
  /** @type {Leg | null} */
  #out = null;
  /** The newest last; those before it go on until it is seen and heard. @type {Leg[]} */
  #in = [];
  #watched = "";
  #isPublishing = false;
  /** What was known when the last publication was answered: it is not asked for twice. @type {Wanted | null} */
  #answered = null;
  #isSubscribing = false;
  #attempts = new Attempts({ most: Infinity, firstMs: 300, longestMs: 5000 });
  /** @type {Set<ReturnType<typeof setTimeout>>} */
  #timers = new Set();
  /** @type {Map<string, Picture>} */
  #wishes = new Map();
  /** What the newest connection knows of them; all else is large. @type {Map<string, Picture>} */
  #told = new Map();
  /** @type {Picture} */
  #most = "large";
  /** @type {Adapted | null} */
  #adapted = null;

  /** @param {ForwardedParts} parts @param {MediaStream | null} [local] what the own tracks are heard and seen together as */
  constructor(parts, local = null) {
    this.#parts = {
      createConnection: (/** @type {RTCConfiguration} */ config) => new RTCPeerConnection(config),
      ...parts,
    };
    this.#local = local;
  }

  /** @param {RTCIceServer[]} iceServers */
  configure(iceServers) {
    // One path for all: a TURN server is asked once, and not for each voice and picture.
    this.#config = { iceServers, bundlePolicy: "max-bundle" };
  }

  /** @param {object} origin */
  has(origin) {
    return this.#in.some((leg) => leg === origin);
  }

  /** Be in the relay, as the server says who is there. @param {Wanted} wanted */
  follow(wanted) {
    this.#wanted = wanted;
    this.#work();
  }

  /** @param {TrackKind} kind @param {MediaStreamTrack | null} track */
  async replaceTrack(kind, track) {
    this.#tracks.set(kind, track);
    await this.#out?.senders.get(kind)?.replaceTrack(track);
  }

  /** Somebody is seen and heard through a connection: what came before it is of no use. @param {string} participant @param {object} origin */
  shown(participant, origin) {
    const at = this.#in.findIndex((leg) => leg === origin);
    if (at < 0) return;
    this.#in[at].awaited.delete(participant);
    if (this.#in[at].awaited.size === 0) this.#closeBefore(this.#in[at]);
  }

  /** What is wanted at most: all, the small layer, voice alone. @param {Picture} most */
  limit(most) {
    if (most === this.#most) return;
    this.#most = most;
    for (const participant of this.#in.at(-1)?.participants ?? []) this.#tellWish(participant);
  }

  /** Send like this from now on. @param {Adapted} adapted */
  adapt(adapted) {
    this.#adapted = adapted;
    this.#out?.uplink?.adapt(adapted);
  }

  /** How much of somebody's picture is wanted. @param {string} participant @param {Picture} picture */
  wish(participant, picture) {
    this.#wishes.set(participant, picture);
    this.#tellWish(participant);
  }

  /** What the browser counts of every connection. */
  reports() {
    const legs = this.#out ? [this.#out, ...this.#in] : this.#in;
    return Promise.all(legs.map(async (source) => ({ source, report: await source.pc.getStats() })));
  }

  /**
   * What the browser counts of the connection that sends, and of voice that comes in, which tells
   * whether the link is there at all.
   * @returns {Promise<Map<string, Map<string, any>>>}
   */
  async reportsByPeer() {
    const out = this.#out;
    if (out?.pc.connectionState !== "connected") return new Map();
    const counted = await this.received();
    /** @type {Map<string, any>} */
    const report = new Map();
    (await out.pc.getStats()).forEach((entry, id) => report.set(id, entry));
    let heard = 0;
    for (const { voice } of counted.values()) heard += voice;
    if (heard > 0) {
      const voice = { type: "inbound-rtp", kind: "audio", packetsReceived: heard, totalSamplesReceived: heard };
      report.set("heard", voice);
    }
    return new Map([[RELAY, report]]);
  }

  /** Whether somebody's moving picture is wanted at all. @param {string} participant */
  wants(participant) {
    return this.#wishOf(participant) !== "none";
  }

  /** How much has come of everybody through the newest connection. @returns {Promise<Map<string, Counted>>} */
  async received() {
    /** @type {Map<string, Counted>} */
    const counted = new Map();
    const leg = this.#in.at(-1);
    if (!leg) return counted;
    /** @type {Map<string | null, string>} */
    const byMid = new Map([...leg.of].map(([transceiver, participant]) => [transceiver.mid, participant]));
    (await leg.pc.getStats()).forEach((entry) => {
      const participant = entry.type === "inbound-rtp" ? byMid.get(entry.mid) : undefined;
      if (participant === undefined) return;
      const count = counted.get(participant) ?? { voice: 0, lost: 0, frames: 0 };
      if (entry.kind === "audio") {
        count.voice += entry.packetsReceived ?? 0;
        count.lost += Math.max(0, entry.packetsLost ?? 0);
      } else count.frames += entry.framesReceived ?? 0;
      counted.set(participant, count);
    });
    return counted;
  }

  /** No more of it. */
  close() {
    this.#wanted = null;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    for (const leg of [...this.#in, this.#out]) leg?.close();
    this.#in = [];
    this.#out = null;
    this.#watched = "";
    this.#isPublishing = false;
    this.#isSubscribing = false;
    this.#wishes.clear();
    this.#told.clear();
  }

  #work() {
    const wanted = this.#wanted;
    if (!wanted) return;
    const isListed = wanted.publishers.some(({ participant }) => participant === wanted.own);
    const isAnswered = this.#out !== null && (isListed || wanted === this.#answered);
    if (!this.#isPublishing && !isAnswered) void this.#publish(wanted);
    const others = wanted.publishers.filter(({ participant }) => participant !== wanted.own);
    const key = others.map(({ participant, number }) => `${participant}:${number}`).sort().join(" ");
    if (!this.#isSubscribing && others.length > 0 && key !== this.#watched) void this.#subscribe(wanted, others, key);
  }

  /** @param {Wanted} wanted */
  async #publish(wanted) {
    this.#isPublishing = true;
    const leg = new Leg(this.#parts.createConnection(this.#config), []);
    try {
      const streams = this.#local ? [this.#local] : [];
      for (const kind of KINDS) {
        const sendEncodings = kind === "video" ? layersOf(this.#adapted?.sending ?? null) : undefined;
        const made = leg.pc.addTransceiver(this.#tracks.get(kind) ?? kind, { direction: "sendonly", streams, sendEncodings });
        leg.senders.set(kind, made.sender);
      }
      leg.uplink = new Uplink(leg.pc, leg.senders, this.#adapted);
      await this.#negotiate(leg, "publish", { epoch: wanted.epoch });
      if (!this.#wanted) return leg.close();
      this.#out?.close();
      this.#out = leg;
      this.#answered = this.#wanted;
      // What was switched over while it was being made.
      for (const kind of KINDS) await leg.senders.get(kind)?.replaceTrack(this.#tracks.get(kind) ?? null);
      if (this.#adapted) leg.uplink.adapt(this.#adapted);
      leg.pc.onconnectionstatechange = () => this.#watchOut(leg);
      this.#attempts.reset();
      this.#isPublishing = false;
      this.#work();
    } catch {
      leg.close();
      this.#later(this.#attempts.next(), () => {
        this.#isPublishing = false;
        this.#work();
      });
    }
  }

  /** @param {Wanted} wanted @param {Publication[]} others @param {string} key */
  async #subscribe(wanted, others, key) {
    this.#isSubscribing = true;
    const participants = others.map(({ participant }) => participant);
    const leg = new Leg(this.#parts.createConnection(this.#config), participants);
    try {
      for (const kind of KINDS) {
        for (const participant of participants) {
          const made = leg.pc.addTransceiver(kind, { direction: "recvonly" });
          if (kind === "video") preferRelayed(made);
          leg.of.set(made, participant);
        }
      }
      leg.pc.ontrack = ({ track, receiver, transceiver }) => {
        const participant = leg.of.get(transceiver);
        if (participant) this.#parts.onTrack(participant, track, receiver, leg);
      };
      leg.pc.onconnectionstatechange = () => this.#watchIn(leg);
      this.#in.push(leg);
      await this.#negotiate(leg, "subscribe", { epoch: wanted.epoch, publishers: participants });
      if (!this.#wanted) return leg.close();
      this.#watched = key;
      this.#attempts.reset();
      this.#isSubscribing = false;
      this.#told.clear();
      for (const participant of participants) this.#tellWish(participant);
      // Whoever never comes through must not keep the one before open for ever.
      this.#later(LOOK_AGAIN_MS, () => this.#closeBefore(leg));
      this.#work();
    } catch {
      this.#in = this.#in.filter((each) => each !== leg);
      leg.close();
      this.#later(this.#attempts.next(), () => {
        this.#isSubscribing = false;
        this.#work();
      });
    }
  }

  /** @param {Leg} leg @param {"publish" | "subscribe"} event @param {object} payload */
  async #negotiate(leg, event, payload) {
    await leg.pc.setLocalDescription();
    if (this.#config.iceServers?.length) await known(leg.pc);
    const sdp = leg.pc.localDescription?.sdp ?? "";
    const { description } = await this.#parts.ask(event, { ...payload, description: { type: "offer", sdp } });
    if (leg.uplink) await leg.uplink.accept(description);
    else await leg.pc.setRemoteDescription(description);
  }

  /** @param {Leg} leg */
  #watchOut(leg) {
    if (leg.pc.connectionState !== "failed" || this.#out !== leg) return;
    this.#out = null;
    leg.close();
    this.#work();
  }

  /** @param {Leg} leg */
  #watchIn(leg) {
    if (leg !== this.#in.at(-1)) return;
    const state = leg.pc.connectionState;
    for (const participant of leg.participants) this.#parts.onConnection(participant, state);
    if (state !== "failed") return;
    this.#watched = "";
    this.#work();
  }

  /** @param {Leg} leg */
  #closeBefore(leg) {
    const at = this.#in.indexOf(leg);
    if (at < 1) return;
    for (const before of this.#in.splice(0, at)) before.close();
  }

  /** @param {string} participant @returns {Picture} */
  #wishOf(participant) {
    const wish = this.#wishes.get(participant) ?? "large";
    return PICTURES.indexOf(wish) < PICTURES.indexOf(this.#most) ? wish : this.#most;
  }

  /** Unless the newest connection knows it. @param {string} publisher */
  #tellWish(publisher) {
    const picture = this.#wishOf(publisher);
    if ((this.#told.get(publisher) ?? "large") === picture) return;
    this.#told.set(publisher, picture);
    // Said again with the next subscription.
    this.#parts.ask("wish", { publisher, picture }).catch(() => {});
  }

  /** @param {number} ms @param {() => void} act */
  #later(ms, act) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, ms);
    this.#timers.add(timer);
  }
}

/**
 * Until an address at a TURN server is known, or all are. Where the relay is at one itself, whose
 * address it was not told is not let through to it.
 * @param {RTCPeerConnection} pc
 */
function known(pc) {
  return new Promise((/** @type {(known: void) => void} */ resolve) => {
    const timer = setTimeout(resolve, KNOWN_WITHIN_MS);
    const found = () => {
      clearTimeout(timer);
      resolve();
    };
    const look = () => pc.iceGatheringState === "complete" && found();
    // The first section's path is that of all.
    pc.onicecandidate = ({ candidate }) => candidate?.type === "relay" && candidate.sdpMLineIndex === 0 && found();
    pc.onicegatheringstatechange = look;
    look();
  });
}

/** The one codec of the relay: an offer of eleven pictures stays small. @param {RTCRtpTransceiver} transceiver */
function preferRelayed(transceiver) {
  const known = globalThis.RTCRtpReceiver?.getCapabilities?.("video")?.codecs ?? [];
  const relayed = known.filter(({ mimeType }) => mimeType === "video/VP8" || mimeType === "video/rtx");
  if (relayed.length > 0) transceiver.setCodecPreferences(relayed);
}
