// @ts-check
/**
 * A seat in a live session: joins, comes back after every broken link, keeps what is unsent, and puts
 * the numbered events in order. No DOM.
 */
import { Attempts } from "./attempts.js";
import { LiveError } from "./live.js";

const RELAY_WITHIN_MS = 20_000;

/**
 * @typedef {import("./live.js").Live} Live
 * @typedef {{ number: number, at: string, kind: string, participant: string | null, person: string | null, name: string | null, data: Record<string, any> }} LogEvent
 * @typedef {{ participant: string, person: string, name: string, role: string, connected: boolean, epoch: number | null, polite: boolean, muted: boolean, camera_off: boolean, mode?: Mode | null, capacity?: string | null, inviter?: string | null, joined_at: string }} Peer
 * @typedef {{ rung: import("./ladder.js").Rung, reason: import("./ladder.js").Reason, ask: import("./ladder.js").Rung, ask_reason: import("./ladder.js").Reason }} Mode
 * @typedef {{ media: "direct" | "relay", publishers: import("./forwarded.js").Publication[] }} Way
 * @typedef {{ id: string, kind: string, state: string, consult: string | null, started_at: string | null, ring_expires_at: string | null }} SessionFacts
 * @typedef {{ now: string, session: SessionFacts, participant: string, participant_token: string, epoch: number, resumed: boolean, participants: Peer[], recording?: import("./pages/recording-words.js").RecordingView | null, ice_servers: RTCIceServer[], ice_expires_at: string | null, events: LogEvent[], last_event: number, more: boolean } & Way} Joined
 * @typedef {{ session: string, from: string, kind: "offer" | "answer" | "candidate", epoch: number, description?: RTCSessionDescriptionInit, candidate?: RTCIceCandidateInit | null }} Signal
 */

/** Puts numbered events in order, each once, and fetches what is missing. */
export class NumberedLog {
  #last = 0;
  /** @type {Map<number, LogEvent>} */
  #early = new Map();
  #isFetching = false;
  #fetch;
  #onEvent;

  /**
   * @param {object} parts
   * @param {(after: number) => Promise<{ events: LogEvent[], more: boolean }>} parts.fetch
   * @param {(event: LogEvent) => void} parts.onEvent
   */
  constructor({ fetch, onEvent }) {
    this.#fetch = fetch;
    this.#onEvent = onEvent;
  }

  get last() {
    return this.#last;
  }

  /** @param {LogEvent} event */
  take(event) {
    if (event.number <= this.#last) return;
    this.#early.set(event.number, event);
    this.#deliver();
    if (this.#early.size > 0) void this.fetchMissing();
  }

  /** Ask for everything after the last number, until there is no more. */
  async fetchMissing() {
    if (this.#isFetching) return;
    this.#isFetching = true;
    try {
      let more = true;
      while (more) {
        const answer = await this.#fetch(this.#last);
        more = answer.more && answer.events.length > 0;
        this.takeAll(answer.events);
      }
    } catch (error) {
      // The next event, or the next join, asks again.
      if (!(error instanceof LiveError)) throw error;
    } finally {
      this.#isFetching = false;
    }
  }

  /** @param {LogEvent[]} events */
  takeAll(events) {
    for (const event of events) if (event.number > this.#last) this.#early.set(event.number, event);
    this.#deliver();
  }

  #deliver() {
    let next = this.#early.get(this.#last + 1);
    while (next) {
      this.#early.delete(next.number);
      this.#last = next.number;
      this.#onEvent(next);
      next = this.#early.get(this.#last + 1);
    }
  }
}

/**
 * What a page wants to hear of its seat.
 * @typedef {object} SeatListeners
 * @property {(joined: Joined) => void} onJoined After every join, the first and each later one.
 * @property {(event: LogEvent) => void} onEvent Each event of the log once, in order.
 * @property {(signal: Signal) => void} onSignal
 * @property {(told: import("./known-servers.js").Told) => void} onIce Fresh credentials, between two joins.
 * @property {(way: Way) => void} [onMedia] Which way media goes, and who publishes in the relay.
 * @property {(peer: Peer) => void} onPeer Somebody came in or changed.
 * @property {(participant: string, reason: string) => void} onPeerLeft
 * @property {(reason: string) => void} onEvicted No longer inside, and not coming back by itself.
 * @property {(error: LiveError) => void} onRefused The join was refused.
 * @property {(key: string, error: LiveError) => void} onChatRefused
 * @property {(still: { from: string, number: number, image: string }) => void} [onStill]
 * @property {(seen: { from: string, number: number }) => void} [onStillSeen]
 */

/** A place in one live session: joins, comes back after every broken link, keeps what is unsent. */
export class Seat {
  #live;
  #session;
  #to;
  /** @type {{ epoch: number, participant_token: string } | null} */
  #held = null;
  #isWanted = false;
  #isIn = false;
  /** @type {{ muted: boolean, camera_off: boolean } | null} */
  #state = null;
  /** @type {Mode | null} */
  #mode = null;
  /** @type {Map<string, string>} */
  #unsentChat = new Map();
  #log;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #iceTimer;
  #undoLink = () => {};
  #joins = new Attempts({ most: 5, firstMs: 500, longestMs: 8000 });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #nextJoin;

  /**
   * @param {Live} live
   * @param {string} session
   * @param {SeatListeners} listeners
   */
  constructor(live, session, listeners) {
    this.#live = live;
    this.#session = session;
    this.#to = listeners;
    this.#log = new NumberedLog({
      fetch: (after) => live.send("session:replay", { session, after }),
      onEvent: (event) => this.#gotEvent(event),
    });
    this.#hear("session:event", (event) => this.#isIn && this.#log.take(event));
    this.#hear("session:signal", (signal) => this.#isIn && this.#to.onSignal(signal));
    this.#hear("session:media", (way) => this.#isIn && this.#to.onMedia?.(way));
    this.#hear("session:peer-joined", ({ peer }) => this.#isIn && this.#to.onPeer(peer));
    this.#hear("session:peer-state", ({ peer }) => this.#isIn && this.#to.onPeer(peer));
    this.#hear("session:peer-left", ({ participant, reason }) =>
      this.#to.onPeerLeft(participant, reason),
    );
    this.#hear("session:still", (still) => this.#isIn && this.#to.onStill?.(still));
    this.#hear("session:still-seen", (seen) => this.#isIn && this.#to.onStillSeen?.(seen));
    this.#hear("session:evicted", ({ reason }) => this.#gotEvicted(reason));
  }

  get isIn() {
    return this.#isIn;
  }

  /** Go in now, and again after every broken link. */
  enter() {
    this.#undoLink();
    this.#isWanted = true;
    this.#joins.reset();
    this.#undoLink = this.#live.onLink((link) => {
      this.#isIn = false;
      clearTimeout(this.#nextJoin);
      if (link === "up") void this.#join();
    });
  }

  /** Go in anew: every peer connection of this page is made afresh. */
  renew() {
    this.#held = null;
    return this.#join();
  }

  /** Go out; the session goes on. */
  async leave() {
    this.#stop();
    await this.#live.send("session:leave", { session: this.#session });
  }

  /** End the session for everybody. */
  async end() {
    await this.#live.send("session:end", { session: this.#session });
  }

  /** Have ICE servers with fresh credentials; where nothing expires there is nothing to do. */
  async renewIce() {
    if (!this.#isIn || this.#iceTimer === undefined) return;
    try {
      const answer = await this.#live.send("session:ice", { session: this.#session });
      if (!this.#isIn) return;
      this.#planIce(answer);
      this.#to.onIce(answer);
    } catch (error) {
      // Those of before are good for a while, and every join brings others.
      if (!(error instanceof LiveError)) throw error;
    }
  }

  /** Call those who are not inside. */
  ring() {
    return this.#live.send("session:ring", { session: this.#session });
  }

  /**
   * Send something to the peer connection of one other participant.
   * @param {"offer" | "answer" | "candidate"} kind
   * @param {string} to
   * @param {number} epoch
   * @param {{ description: RTCSessionDescriptionInit } | { candidate: RTCIceCandidateInit | null }} content
   */
  signal(kind, to, epoch, content) {
    if (!this.#isIn) return Promise.reject(new LiveError({ code: "link_lost" }));
    return this.#live.send(`session:${kind}`, { session: this.#session, to, epoch, ...content });
  }

  /**
   * Ask the relay for something, with the patience that its start needs.
   * @param {"publish" | "subscribe" | "wish"} event
   * @param {object} payload
   */
  forward(event, payload) {
    if (!this.#isIn) return Promise.reject(new LiveError({ code: "link_lost" }));
    return this.#live.send(`session:${event}`, { session: this.#session, ...payload }, RELAY_WITHIN_MS);
  }

  /**
   * Find, invite or send out third parties.
   * @param {"find-people" | "invite" | "remove"} event
   * @param {object} payload
   */
  invitation(event, payload) {
    return this.#live.send(`session:${event}`, { session: this.#session, ...payload });
  }

  /**
   * Say what the own devices are doing; said again after every join.
   * @param {{ muted: boolean, camera_off: boolean }} state
   */
  tell(state) {
    this.#state = state;
    void this.#sendState();
  }

  /**
   * Say on which rung of the ladder this page sends and receives; said again after every join.
   * @param {Mode} mode
   */
  tellMode(mode) {
    this.#mode = mode;
    void this.#sendMode();
  }

  /** @param {string | null} to null for whoever needs one @param {number} number @param {string} image WebP in base64 */
  sendStill(to, number, image) {
    if (!this.#isIn) return Promise.reject(new LiveError({ code: "link_lost" }));
    return this.#live.send("session:still", { session: this.#session, to, number, image });
  }

  /** @param {string} to @param {number} number */
  sawStill(to, number) {
    return this.#live.send("session:still-seen", { session: this.#session, to, number });
  }

  /** Ask the station for a sharp picture. @param {string} to @returns {Promise<{ ask: number }>} */
  askPicture(to) {
    return this.#live.send("session:picture-ask", { session: this.#session, to });
  }

  /** @param {import("./pictures.js").Answer} answer */
  answerPicture(answer) {
    if (!this.#isIn) return Promise.reject(new LiveError({ code: "link_lost" }));
    return this.#live.send("session:picture-answer", { session: this.#session, ...answer });
  }

  /**
   * Say something to everybody; kept and sent again until the server has it.
   * @param {string} text
   * @returns {string} the key under which it will appear in the log
   */
  say(text) {
    const key = crypto.randomUUID();
    this.#unsentChat.set(key, text);
    void this.#sendChat(key, text);
    return key;
  }

  /**
   * @param {string} push
   * @param {(payload: any) => void} listener
   */
  #hear(push, listener) {
    this.#live.on(push, (payload) => {
      if (payload.session === this.#session) listener(payload);
    });
  }

  async #join() {
    try {
      /** @type {Joined} */
      const joined = await this.#live.send("session:join", {
        session: this.#session,
        last_event: this.#log.last,
        ...this.#held,
      });
      if (!this.#isWanted) return;
      this.#gotJoined(joined);
    } catch (error) {
      if (!(error instanceof LiveError)) throw error;
      await this.#gotJoinError(error);
    }
  }

  /** @param {Joined} joined */
  #gotJoined(joined) {
    this.#isIn = true;
    this.#joins.reset();
    this.#held = { epoch: joined.epoch, participant_token: joined.participant_token };
    this.#planIce(joined);
    // First who is who, then what they did.
    this.#to.onJoined(joined);
    this.#log.takeAll(joined.events);
    if (joined.more) void this.#log.fetchMissing();
    void this.#sendState();
    void this.#sendMode();
    for (const [key, text] of this.#unsentChat) void this.#sendChat(key, text);
  }

  /**
   * The other side may look for a new path at any time: what it takes is never near its end.
   * @param {{ now: string, ice_expires_at?: string | null }} answer
   */
  #planIce({ now, ice_expires_at: until }) {
    clearTimeout(this.#iceTimer);
    const left = until ? Date.parse(until) - Date.parse(now) : 0;
    this.#iceTimer = until ? setTimeout(() => void this.renewIce(), left / 2) : undefined;
  }

  /** @param {LiveError} error */
  async #gotJoinError(error) {
    if (error.code === "link_lost" || !this.#isWanted) return;
    if (error.code === "no_answer" && !(await this.#live.check())) return;
    if (error.isPassing && !this.#joins.isOver) {
      const wait = Math.max(this.#joins.next(), 1000 * error.retryAfterSeconds);
      clearTimeout(this.#nextJoin);
      this.#nextJoin = setTimeout(() => void this.#join(), wait);
      return;
    }
    this.#stop();
    this.#to.onRefused(error);
  }

  async #sendState() {
    if (!this.#isIn || !this.#state) return;
    // Lost on a broken link, said again by the join that follows.
    await this.#live
      .send("session:state", { session: this.#session, ...this.#state })
      .catch(() => {});
  }

  async #sendMode() {
    if (!this.#isIn || !this.#mode) return;
    await this.#live
      .send("session:mode", { session: this.#session, ...this.#mode })
      .catch(() => {});
  }

  /**
   * @param {string} key
   * @param {string} text
   */
  async #sendChat(key, text) {
    if (!this.#isIn) return;
    try {
      await this.#live.send("session:chat", { session: this.#session, text, key });
      this.#unsentChat.delete(key);
    } catch (error) {
      if (!(error instanceof LiveError)) throw error;
      if (error.isUnanswered) {
        if (await this.#live.check()) await this.#sendChat(key, text);
        return;
      }
      this.#unsentChat.delete(key);
      this.#to.onChatRefused(key, error);
    }
  }

  /** @param {LogEvent} event */
  #gotEvent(event) {
    if (event.kind === "chat") this.#unsentChat.delete(event.data.key);
    this.#to.onEvent(event);
  }

  /** @param {string} reason */
  #gotEvicted(reason) {
    if (!this.#isWanted) return;
    this.#stop();
    this.#to.onEvicted(reason);
  }

  #stop() {
    this.#isWanted = false;
    this.#isIn = false;
    clearTimeout(this.#nextJoin);
    this.#held = null;
    clearTimeout(this.#iceTimer);
    this.#undoLink();
    this.#undoLink = () => {};
  }
}
