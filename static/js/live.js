// @ts-check
/**
 * The connection to the server: events with answers, hints. No DOM.
 * docs/protocol.md says what goes over the wire.
 */
import { io } from "../vendor/socket.io.esm.min.js";

export const PROTOCOL_VERSION = 1;
const ANSWER_WITHIN_MS = 5000;
const PROBE_WITHIN_MS = 1000;
const TRY_AGAIN_AFTER_MS = 1000;
const PASSING = new Set(["link_lost", "no_answer", "throttled", "unavailable", "internal"]);
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
 * @typedef {"connecting" | "up" | "down" | "refused" | "lost"} LinkState "lost": given up.
 * @typedef {{ channel: string, event: string, number: number }} Hint
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

  /** True when the same may go well a little later. */
  get isPassing() {
    return PASSING.has(this.code);
  }
}

/** @returns {SocketLike} */
function browserSocket() {
  return io({
    path: "/socket.io/",
    transports: ["websocket"],
    autoConnect: false,
    reconnectionDelay: 200,
    reconnectionDelayMax: 1000,
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
  #giveUpAfterMs;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #givingUp;

  /** @param {{ makeSocket?: () => SocketLike, giveUpAfterMs?: number }} [parts] without a limit it never gives up */
  constructor({ makeSocket = browserSocket, giveUpAfterMs = 0 } = {}) {
    this.#giveUpAfterMs = giveUpAfterMs;
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
    clearTimeout(this.#givingUp);
    if (link === "connecting" && this.#giveUpAfterMs) {
      this.#givingUp = setTimeout(() => this.#giveUp(), this.#giveUpAfterMs);
    }
    for (const listener of [...this.#linkListeners]) listener(link);
  }

  #giveUp() {
    clearTimeout(this.#retry);
    this.#setLink("lost");
    this.#socket.disconnect();
  }

  #gotConnect() {
    this.#setLink("up");
    const channels = [...this.#channels.keys()];
    // One by one: a channel that is no longer allowed must not take the others with it.
    for (const channel of channels) void this.#subscribe([channel]);
  }

  /** @param {string} reason */
  #gotDisconnect(reason) {
    if (this.#link === "down" || this.#link === "lost") return;
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
