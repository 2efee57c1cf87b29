// @ts-check
/** ICE servers as they were last told, without those whose credentials are about to end. No DOM. */

/** So long before its end nothing new is begun with a credential. */
const MARGIN_MS = 30_000;

/** @typedef {{ now: string, ice_servers: RTCIceServer[], ice_expires_at: string | null }} Told */

/** What a path may be looked for with, before the server is asked again. */
export class KnownServers {
  /** @type {RTCIceServer[]} */
  #servers = [];
  #until = 0;
  #now;

  /** @param {() => number} [now] Milliseconds that only grow. */
  constructor(now = () => performance.now()) {
    this.#now = now;
  }

  /** What the server tells with a page, a join, or when it is asked. @param {Told} told */
  take({ now, ice_servers, ice_expires_at: until }) {
    this.#servers = ice_servers;
    this.#until = until ? this.#now() + Date.parse(until) - Date.parse(now) - MARGIN_MS : Infinity;
  }

  /** Those that are good now. */
  get good() {
    if (this.#now() < this.#until) return this.#servers;
    return this.#servers.filter(({ credential }) => credential === undefined);
  }
}
