// @ts-check
/**
 * The connection to the server: events with answers, hints, numbered logs, a seat in a live session.
 * No DOM. docs/protocol.md says what goes over the wire.
 */
import { io } from "../vendor/socket.io.esm.min.js";

export const PROTOCOL_VERSION = 1;
const ANSWER_WITHIN_MS = 5000;
const PROBE_WITHIN_MS = 1000;
const TRY_AGAIN_AFTER_MS = 1500;
const FINAL_REFUSALS = new Set(["sign_in_needed", "protocol_unsupported"]);

/**
 * The part of a Socket.IO socket that is used here.
 * @typedef {object} SocketLike
 * @property {boolean} connected
 * @property {boolean} active True while the client goes on trying by itself.
 * @property {(event: string, listener: (...args: any[]) => void) => unknown} on
 * @property {(ms: number) => { emit: (event: string, payload: object, answered: (error: Error | null, answer: any) => void) => unknown }} timeout
 * @property {() => unknown} connect
 * @property {() => unknown} disconnect
 * @property {{ engine: { close: () => unknown } }} io
 *
 * @typedef {"connecting" | "up" | "down" | "refused"} LinkState
 * @typedef {{ channel: string, event: string, number: number }} Hint
 * @typedef {{ number: number, at: string, kind: string, participant: string | null, person: string | null, name: string | null, data: Record<string, any> }} LogEvent
 * @typedef {{ participant: string, person: string, name: string, role: string, connected: boolean, epoch: number | null, polite: boolean, muted: boolean, camera_off: boolean, joined_at: string }} Peer
 * @typedef {{ id: string, kind: string, state: string, consult: string | null, started_at: string | null, ring_expires_at: string | null }} SessionFacts
 * @typedef {{ now: string, session: SessionFacts, participant: string, participant_token: string, epoch: number, resumed: boolean, participants: Peer[], ice_servers: RTCIceServer[], events: LogEvent[], last_event: number, more: boolean }} Joined
 * @typedef {{ session: string, from: string, kind: "offer" | "answer" | "candidate", epoch: number, description?: RTCSessionDescriptionInit, candidate?: RTCIceCandidateInit | null }} Signal
 */

/** The server's refusal, or the lack of an answer (`link_lost`, `no_answer`). */
export class LiveError extends Error {
  /** @param {{ code: string, message?: string, fields?: { field: string, code: string, message: string }[], retry_after_seconds?: number }} refusal */
  constructor(refusal) {
    super(refusal.message ?? refusal.code);
    this.code = refusal.code;
    this.fields = refusal.fields ?? [];
    this.retryAfterSeconds = refusal.retry_after_seconds ?? 0;
  }

  /** True when nothing is known of what became of the event, so it may be sent again. */
  get isUnanswered() {
    return this.code === "link_lost" || this.code === "no_answer";
  }
}

/** @returns {SocketLike} */
function browserSocket() {
  return io({
    path: "/socket.io/",
    transports: ["websocket"],
    autoConnect: false,
    reconnectionDelay: 200,
    reconnectionDelayMax: 1500,
    timeout: 2000,
    auth: { protocol: PROTOCOL_VERSION },
  });
}

/** One connection, shared by everything on the page. */
export class Live {
  #socket;
  /** @type {LinkState} */
  #link = "down";
  /** @type {Set<(link: LinkState) => void>} */
  #linkListeners = new Set();
  /** @type {Map<string, Set<(hint: Hint) => void>>} */
  #channels = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;

  /** @param {{ makeSocket?: () => SocketLike }} [parts] */
  constructor({ makeSocket = browserSocket } = {}) {
    this.#socket = makeSocket();
    this.#socket.on("connect", () => this.#gotConnect());
    this.#socket.on("disconnect", (reason) => this.#gotDisconnect(reason));
    this.#socket.on("connect_error", (error) => this.#gotRefusal(error));
    this.#socket.on("hint", (hint) => this.#gotHint(hint));
  }

  get link() {
    return this.#link;
  }

  connect() {
    this.#setLink("connecting");
    this.#socket.connect();
  }

  /** No more, and no coming back by itself. */
  close() {
    clearTimeout(this.#retry);
    this.#setLink("down");
    this.#socket.disconnect();
  }

  /**
   * Send an event and wait for its answer.
   * @param {string} event
   * @param {object} payload
   * @param {number} [withinMs]
   * @returns {Promise<any>} the `data` of the answer; rejects with LiveError
   */
  send(event, payload, withinMs = ANSWER_WITHIN_MS) {
    if (!this.#socket.connected) return Promise.reject(new LiveError({ code: "link_lost" }));
    return new Promise((resolve, reject) => {
      this.#socket.timeout(withinMs).emit(event, payload, (error, answer) => {
        if (error) {
          reject(new LiveError({ code: this.#socket.connected ? "no_answer" : "link_lost" }));
        } else if (answer.ok) resolve(answer.data);
        else reject(new LiveError(answer));
      });
    });
  }

  /**
   * Hear a push of the server.
   * @param {string} push
   * @param {(payload: any) => void} listener
   */
  on(push, listener) {
    this.#socket.on(push, listener);
  }

  /**
   * Hear of the state of the connection, now and after every change.
   * @param {(link: LinkState) => void} listener
   * @returns {() => void} undo
   */
  onLink(listener) {
    this.#linkListeners.add(listener);
    listener(this.#link);
    return () => void this.#linkListeners.delete(listener);
  }

  /**
   * Hear the hints of a channel, through every reconnect; each reconnect gives one hint of its own,
   * named `watched`, with the channel's number, as something may have been missed.
   * @param {string} channel
   * @param {(hint: Hint) => void} listener
   * @returns {() => void} undo
   */
  watch(channel, listener) {
    const listeners = this.#channels.get(channel) ?? new Set();
    this.#channels.set(channel, listeners.add(listener));
    if (this.#link === "up") void this.#subscribe([channel]);
    return () => {
      listeners.delete(listener);
      if (listeners.size > 0 || !this.#channels.delete(channel)) return;
      this.send("channel:unwatch", { channels: [channel] }).catch(() => {});
    };
  }

  /**
   * Is the path alive? If not, a new connection is begun at once.
   * @returns {Promise<boolean>}
   */
  async check() {
    if (this.#link !== "up") return false;
    try {
      await this.send("probe", {}, PROBE_WITHIN_MS);
      return true;
    } catch (error) {
      if (error instanceof LiveError && !error.isUnanswered) return true;
      // Not disconnect(): that would tell the server that the person has left.
      this.#socket.io.engine.close();
      return false;
    }
  }

  /** @param {LinkState} link */
  #setLink(link) {
    if (link === this.#link) return;
    this.#link = link;
    for (const listener of [...this.#linkListeners]) listener(link);
  }

  #gotConnect() {
    this.#setLink("up");
    const channels = [...this.#channels.keys()];
    // One by one: a channel that is no longer allowed must not take the others with it.
    for (const channel of channels) void this.#subscribe([channel]);
  }

  /** @param {string} reason */
  #gotDisconnect(reason) {
    if (this.#link === "down") return;
    this.#setLink("connecting");
    if (reason === "io server disconnect") this.#socket.connect();
  }

  /** @param {Error & { data?: { code?: string } }} error */
  #gotRefusal(error) {
    if (FINAL_REFUSALS.has(error.data?.code ?? "")) this.#setLink("refused");
    else if (!this.#socket.active) {
      this.#retry = setTimeout(() => this.#socket.connect(), TRY_AGAIN_AFTER_MS);
    }
  }

  /** @param {string[]} channels */
  async #subscribe(channels) {
    try {
      const answer = await this.send("channel:watch", { channels });
      for (const [channel, number] of Object.entries(answer.channels)) {
        this.#gotHint({ channel, event: "watched", number });
      }
    } catch (error) {
      if (!(error instanceof LiveError)) throw error;
    }
  }

  /** @param {Hint} hint */
  #gotHint(hint) {
    for (const listener of [...(this.#channels.get(hint.channel) ?? [])]) listener(hint);
  }
}

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
 * @property {(peer: Peer) => void} onPeer Somebody came in or changed.
 * @property {(participant: string, reason: string) => void} onPeerLeft
 * @property {(reason: string) => void} onEvicted No longer inside, and not coming back by itself.
 * @property {(error: LiveError) => void} onRefused The join was refused.
 * @property {(key: string, error: LiveError) => void} onChatRefused
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
  /** @type {Map<string, string>} */
  #unsentChat = new Map();
  #log;
  #undoLink = () => {};

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
    this.#hear("session:peer-joined", ({ peer }) => this.#isIn && this.#to.onPeer(peer));
    this.#hear("session:peer-state", ({ peer }) => this.#isIn && this.#to.onPeer(peer));
    this.#hear("session:peer-left", ({ participant, reason }) =>
      this.#to.onPeerLeft(participant, reason),
    );
    this.#hear("session:evicted", ({ reason }) => this.#gotEvicted(reason));
  }

  get isIn() {
    return this.#isIn;
  }

  /** Go in now, and again after every broken link. */
  enter() {
    this.#undoLink();
    this.#isWanted = true;
    this.#undoLink = this.#live.onLink((link) => {
      this.#isIn = false;
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
   * Say what the own devices are doing; said again after every join.
   * @param {{ muted: boolean, camera_off: boolean }} state
   */
  tell(state) {
    this.#state = state;
    void this.#sendState();
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
    this.#held = { epoch: joined.epoch, participant_token: joined.participant_token };
    // First who is who, then what they did.
    this.#to.onJoined(joined);
    this.#log.takeAll(joined.events);
    if (joined.more) void this.#log.fetchMissing();
    void this.#sendState();
    for (const [key, text] of this.#unsentChat) void this.#sendChat(key, text);
  }

  /** @param {LiveError} error */
  async #gotJoinError(error) {
    if (error.code === "link_lost" || !this.#isWanted) return;
    if (error.code === "no_answer") {
      if (await this.#live.check()) await this.#join();
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
    this.#held = null;
    this.#undoLink();
    this.#undoLink = () => {};
  }
}
