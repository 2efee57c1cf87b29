// @ts-check
/**
 * How the one connection that sends to the relay sends: its layers, and how voice is packed, as the
 * ladder says. No DOM, no server.
 */
import { sendVoice, shapeOf } from "./connection.js";
import { asAnswer, shapedForVoice } from "./ladder.js";

/**
 * @typedef {import("./connection.js").Adapted} Adapted
 * @typedef {import("./connection.js").TrackKind} TrackKind
 * @typedef {import("./ladder.js").Sending} Sending
 */

const SMALL = { rid: "s", scaleResolutionDownBy: 2, maxBitrate: 150_000 };
const LARGE = { rid: "l", scaleResolutionDownBy: 1, maxBitrate: 1_000_000 };

/**
 * The layers of a picture: both, the small one as small as the link wants it, or none.
 * @param {Sending | null} sending
 * @returns {RTCRtpEncodingParameters[]}
 */
export function layersOf(sending) {
  const picture = sending ? sending.picture : { ...LARGE, maxFramerate: null };
  const isFull = picture?.scaleResolutionDownBy === 1;
  /** @type {RTCRtpEncodingParameters} */
  const small = { ...SMALL, active: picture !== null };
  if (picture && !isFull) {
    small.maxBitrate = Math.min(SMALL.maxBitrate, picture.maxBitrate);
    small.scaleResolutionDownBy = picture.scaleResolutionDownBy;
    if (picture.maxFramerate !== null) small.maxFramerate = picture.maxFramerate;
  }
  return [small, { ...LARGE, active: isFull }].map((layer) => ({ ...layer, scalabilityMode: "L1T2" }));
}

/** Keeps one connection sending as it was last told; what is asked of it is done in turn. */
export class Uplink {
  #pc;
  #senders;
  /** @type {Adapted | null} */
  #adapted;
  #said = "";
  #shape;
  /** @type {Promise<void>} */
  #chain = Promise.resolve();

  /**
   * @param {RTCPeerConnection} pc
   * @param {Map<TrackKind, RTCRtpSender>} senders
   * @param {Adapted | null} adapted from the first packet on; null as the browser does
   */
  constructor(pc, senders, adapted) {
    this.#pc = pc;
    this.#senders = senders;
    this.#adapted = adapted;
    this.#shape = shapeOf(adapted);
  }

  /** Take the answer of the relay. @param {RTCSessionDescriptionInit} description */
  async accept({ sdp = "" }) {
    this.#said = sdp;
    await this.#take(sdp);
    await this.#apply();
  }

  /** Send like this from now on. @param {Adapted} adapted */
  adapt(adapted) {
    if (JSON.stringify(adapted) === JSON.stringify(this.#adapted)) return;
    this.#adapted = adapted;
    this.#then(() => this.#apply());
    if (this.#shape === shapeOf(adapted)) return;
    this.#shape = shapeOf(adapted);
    this.#then(() => this.#repack());
  }

  /** How voice is packed stands in the relay's description: take it anew, the relay sees nothing of it. */
  async #repack() {
    if (this.#pc.signalingState !== "stable" || !this.#said) return;
    await this.#pc.setLocalDescription();
    try {
      await this.#take(asAnswer(this.#said, this.#pc.localDescription?.sdp ?? ""));
    } catch (error) {
      await this.#pc.setLocalDescription({ type: "rollback" });
      throw error;
    }
  }

  /** @param {string} said */
  #take(said) {
    const adapted = this.#adapted;
    if (!adapted) return this.#pc.setRemoteDescription({ type: "answer", sdp: said });
    const { isRedundant, sending } = adapted;
    const how = { isRedundant, packetMs: sending.packetMs, isAlone: sending.picture === null };
    return this.#pc.setRemoteDescription({ type: "answer", sdp: shapedForVoice(said, how) });
  }

  async #apply() {
    const adapted = this.#adapted;
    if (!adapted) return;
    for (const [kind, sender] of this.#senders) {
      const parameters = sender.getParameters();
      if (!parameters.encodings?.length) continue;
      if (kind === "audio") sendVoice(parameters, adapted.sending);
      else sendPicture(parameters, adapted.sending);
      await sender.setParameters(parameters);
    }
  }

  /** @param {() => Promise<void>} step */
  #then(step) {
    this.#chain = this.#chain.then(async () => {
      if (this.#pc.connectionState === "closed") return;
      try {
        await step();
      } catch (error) {
        // It goes on as it was; the next decision is another try.
        console.warn("not adapted", error);
      }
    });
  }
}

/** @param {RTCRtpSendParameters} parameters @param {Sending} sending */
function sendPicture(parameters, sending) {
  Object.assign(parameters, { degradationPreference: "maintain-framerate" });
  const layers = layersOf(sending);
  for (const encoding of parameters.encodings) {
    delete encoding.maxFramerate;
    Object.assign(encoding, layers.find(({ rid }) => rid === encoding.rid), { priority: "low", networkPriority: "low" });
  }
}
