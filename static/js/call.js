// @ts-check
/**
 * The peer connections of one live session: who is there, of which epoch, who begins. No DOM, no
 * server: what has to be sent goes out through `send`. docs/protocol.md section 7.
 */
import { Connection } from "./connection.js";

const LOOK_EVERY_MS = 250;

/**
 * @typedef {import("./seat.js").Peer} Peer
 * @typedef {import("./seat.js").Joined} Joined
 * @typedef {import("./seat.js").Signal} Signal
 * @typedef {import("./connection.js").CallParts} CallParts
 * @typedef {import("./connection.js").Adapted} Adapted
 * @typedef {import("./connection.js").Figures} Figures
 * @typedef {import("./connection.js").TrackKind} TrackKind
 */

/** All peer connections of this page's seat in one session. */
export class Call {
  #parts;
  #ownEpoch = 0;
  /** @type {RTCConfiguration} */
  #config = {};
  /** @type {Map<string, Connection>} */
  #connections = new Map();
  /** Begun before it is known whom to. @type {Connection | null} */
  #spare = null;
  /** Made, not begun: for whoever comes next. @type {Connection | null} */
  #ready = null;
  /** @type {Map<TrackKind, MediaStreamTrack | null>} */
  #tracks = new Map();
  #local;
  #adapted;
  #isDirect = true;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {CallParts} parts
   * @param {MediaStream | null} [local] an empty stream that groups the own tracks for lip sync
   * @param {Adapted | null} [adapted] how every connection begins to send; null as the browser does
   */
  constructor(parts, local = null, adapted = null) {
    this.#local = local;
    this.#adapted = adapted;
    this.#parts = {
      createConnection: (/** @type {RTCConfiguration} */ config) => new RTCPeerConnection(config),
      now: () => performance.now(),
      ...parts,
    };
  }

  /** Look at the media four times a second from now on. */
  start() {
    this.#timer ??= setInterval(() => void this.look(), LOOK_EVERY_MS);
  }

  /**
   * Begin a connection before the server has said who is there, or before it is asked: whoever
   * comes last is the one that offers, and the first connection of a page is slow.
   * @param {RTCIceServer[]} iceServers
   */
  prepare(iceServers) {
    this.#isDirect = true;
    const config = configOf(iceServers);
    if (this.#spare && JSON.stringify(config) === JSON.stringify(this.#config)) return;
    this.#config = config;
    this.#spare?.close();
    this.#spare = this.#make();
    this.#spare.begin();
  }

  /** @param {Joined} joined */
  adopt(joined) {
    this.#ownEpoch = joined.epoch;
    if (addressesOf(joined.ice_servers) !== addressesOf(this.#config.iceServers)) this.#dropSpare();
    this.configure(joined.ice_servers);
    const present = new Set(joined.participants.map((peer) => peer.participant));
    for (const gone of [...this.#connections.keys()].filter((id) => !present.has(id))) {
      this.#remove(gone);
    }
    for (const peer of joined.participants) {
      const before = this.#connections.get(peer.participant);
      this.heard(peer);
      const isKept = before && before === this.#connections.get(peer.participant);
      if (isKept && peer.connected && !before.isWell) before.restart();
    }
    this.#dropSpare();
    this.#beReady();
  }

  /**
   * Media goes through the relay: nobody is connected to any more, and whatever runs goes on until
   * it is closed by `end`.
   */
  pause() {
    this.#isDirect = false;
    this.#dropSpare();
  }

  /** Browser to browser again, by connections that are made anew. @param {Iterable<Peer>} peers */
  resume(peers) {
    if (this.#isDirect) return;
    this.end();
    this.#isDirect = true;
    for (const peer of peers) this.heard(peer);
  }

  /** To whom there is a connection. */
  get participants() {
    return [...this.#connections.keys()];
  }

  /** Close what still runs from before the relay. */
  end() {
    for (const participant of [...this.#connections.keys()]) this.#remove(participant);
  }

  /**
   * Somebody came in, came back, or changed.
   * @param {Peer} peer
   */
  heard(peer) {
    const connection = this.#connections.get(peer.participant);
    connection?.update(peer);
    if (!this.#isDirect) return;
    // Not known yet after a restart of the server: whatever runs goes on running.
    if (peer.epoch === null) return;
    const epoch = Math.max(this.#ownEpoch, peer.epoch);
    if (connection?.epoch === epoch) {
      if (peer.connected) connection.makeGood();
      return;
    }
    connection?.close();
    const isFirstToOffer = epoch === this.#ownEpoch;
    const spare = isFirstToOffer ? this.#spare : null;
    const fresh = spare ?? this.#takeReady() ?? this.#make();
    if (spare) this.#spare = null;
    fresh.address(peer, epoch);
    this.#connections.set(peer.participant, fresh);
    if (isFirstToOffer && !spare) fresh.begin();
  }

  /**
   * These servers from now on, and whenever a new path is looked for: credentials expire.
   * @param {RTCIceServer[]} iceServers
   */
  configure(iceServers) {
    this.#config = configOf(iceServers);
    this.#ready?.configure(this.#config);
    for (const connection of this.#connections.values()) connection.configure(this.#config);
  }

  /** @param {string} participant */
  drop(participant) {
    this.#remove(participant);
    this.#beReady();
  }

  /** @param {Signal} signal */
  got(signal) {
    const connection = this.#connections.get(signal.from);
    if (connection?.epoch === signal.epoch) connection.got(signal);
  }

  /**
   * Look for a new path to one participant, if it is still needed.
   * @param {string} participant
   */
  mend(participant) {
    this.#connections.get(participant)?.mend();
  }

  /**
   * Send another track, or none, from now on; needs no new offer.
   * @param {TrackKind} kind
   * @param {MediaStreamTrack | null} track
   */
  async replaceTrack(kind, track) {
    this.#tracks.set(kind, track);
    const connections = [...this.#connections.values()];
    if (this.#spare) connections.push(this.#spare);
    await Promise.all(connections.map((connection) => connection.replaceTrack(kind, track)));
  }

  /** Look at every connection once. */
  async look() {
    await Promise.all([...this.#connections.values()].map((connection) => connection.look()));
  }

  /** @returns {Promise<Map<string, Figures & { state: RTCPeerConnectionState }>>} */
  async figures() {
    const found = [...this.#connections].map(async ([participant, connection]) => {
      const figures = { ...(await connection.figures()), state: connection.state };
      return /** @type {const} */ ([participant, figures]);
    });
    return new Map(await Promise.all(found));
  }

  /** What the browser counts of every connection. */
  reports() {
    const connections = [...this.#connections.values()];
    return Promise.all(
      connections.map(async (source) => ({ source, report: await source.report() })),
    );
  }

  /**
   * Send to one participant like this from now on.
   * @param {string} participant
   * @param {Adapted} adapted
   */
  adapt(participant, adapted) {
    this.#connections.get(participant)?.adapt(adapted);
  }

  /** What the browser counts, of every connection that is up. @returns {Promise<Map<string, RTCStatsReport>>} */
  async reportsByPeer() {
    // What ends beside the relay says nothing of the link.
    if (!this.#isDirect) return new Map();
    const up = [...this.#connections].filter(([, connection]) => connection.state === "connected");
    const found = up.map(async ([participant, connection]) =>
      /** @type {const} */ ([participant, await connection.report()]),
    );
    return new Map(await Promise.all(found));
  }

  close() {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#dropSpare();
    this.#takeReady()?.close();
    for (const participant of [...this.#connections.keys()]) this.#remove(participant);
  }

  /** @param {string} participant */
  #remove(participant) {
    this.#connections.get(participant)?.close();
    this.#connections.delete(participant);
  }

  /** Nobody is there: have a connection for whoever comes. */
  #beReady() {
    if (this.#isDirect && this.#connections.size === 0) this.#ready ??= this.#make();
  }

  /** For who was there first, and waits for an offer. */
  #takeReady() {
    const ready = this.#ready;
    this.#ready = null;
    return ready;
  }

  #make() {
    return new Connection(this.#config, this.#tracks, this.#local, this.#parts, this.#adapted);
  }

  #dropSpare() {
    this.#spare?.close();
    this.#spare = null;
  }
}

/**
 * One path for voice and picture, looked for as soon as there is a connection, before it is known
 * whom to: a relay takes two round trips to give an address.
 * @param {RTCIceServer[]} iceServers
 * @returns {RTCConfiguration}
 */
function configOf(iceServers) {
  return { iceServers, bundlePolicy: "max-bundle", iceCandidatePoolSize: 1 };
}

/**
 * The credentials differ at every join and stay good for a while; other servers make other paths.
 * @param {RTCIceServer[] | undefined} servers
 */
function addressesOf(servers) {
  return JSON.stringify((servers ?? []).map(({ urls }) => urls));
}
