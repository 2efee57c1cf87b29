// @ts-check
/**
 * Looks at the link to the server: how long an answer takes, how much goes each way, by which ways a
 * relay is reached. Bounded in bytes and in time. No DOM.
 */

const DOWN_STEPS = [16_000, 60_000, 160_000];
const UP_STEPS = [8_000, 32_000, 96_000];
const STOP_AFTER_MS = 4_000;
// A step that took longer than this tells enough.
const GO_ON_BELOW_MS = 1_000;
const GATHER_WITHIN_MS = 5_000;
const PROBES = 5;

/**
 * @typedef {"udp" | "tcp" | "tls"} Way
 * @typedef {{ send: (event: string, payload: object, withinMs?: number) => Promise<unknown> }} Prober
 */

/**
 * Middle time of some answers over the connection that calls use, in milliseconds.
 * @param {Prober} live
 * @param {() => number} [now]
 */
export async function measureRoundTrip(live, now = () => performance.now()) {
  /** @type {number[]} */
  const times = [];
  for (let count = 0; count < PROBES; count += 1) {
    const began = now();
    await live.send("probe", {});
    times.push(now() - began);
  }
  times.sort((a, b) => a - b);
  return Math.round(times[Math.floor(PROBES / 2)] ?? 0);
}

/**
 * Kilobits a second towards this machine; null when not even the first step came.
 * @param {{ ask?: typeof fetch, now?: () => number }} [parts]
 */
export function measureDown({ ask = fetch.bind(globalThis), now } = {}) {
  return climb(DOWN_STEPS, now, async (bytes, signal) => {
    const answer = await ask(`/check/down?bytes=${bytes}&again=${crypto.randomUUID()}`, { signal, cache: "no-store" });
    if (!answer.ok) throw new Error(String(answer.status));
    await answer.arrayBuffer();
  });
}

/**
 * Kilobits a second from this machine; null when not even the first step went.
 * @param {{ ask?: typeof fetch, now?: () => number }} [parts]
 */
export function measureUp({ ask = fetch.bind(globalThis), now } = {}) {
  return climb(UP_STEPS, now, async (bytes, signal) => {
    const body = crypto.getRandomValues(new Uint8Array(Math.min(bytes, 65_536)));
    const parts = new Blob([body, body]).slice(0, bytes);
    const headers = { "Content-Type": "application/octet-stream", "X-By-Itself": "1" };
    const answer = await ask("/check/up", { method: "POST", body: parts, headers, signal });
    if (!answer.ok) throw new Error(String(answer.status));
  });
}

/**
 * Larger and larger steps while they are quick, all together for a few seconds at most.
 * @param {number[]} steps
 * @param {(() => number) | undefined} clock
 * @param {(bytes: number, signal: AbortSignal) => Promise<void>} move
 */
async function climb(steps, clock, move) {
  const now = clock ?? (() => performance.now());
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), STOP_AFTER_MS);
  /** @type {number | null} */
  let kbps = null;
  try {
    for (const bytes of steps) {
      const began = now();
      await move(bytes, limit.signal);
      const ms = Math.max(1, now() - began);
      kbps = Math.max(kbps ?? 0, Math.round((bytes * 8) / ms));
      if (ms > GO_ON_BELOW_MS) break;
    }
  } catch {
    // What the steps before it have shown still holds.
  } finally {
    clearTimeout(timer);
  }
  return kbps;
}

/**
 * The addresses of a relay by the way to it.
 * @param {RTCIceServer[]} servers
 * @param {Way} way
 * @returns {RTCIceServer[]}
 */
export function serversFor(servers, way) {
  return servers.flatMap((server) => {
    const urls = [server.urls].flat().filter((url) => wayOf(url) === way);
    return urls.length > 0 ? [{ ...server, urls }] : [];
  });
}

/** @param {string} url @returns {Way | null} */
function wayOf(url) {
  if (url.startsWith("turns:")) return "tls";
  if (!url.startsWith("turn:")) return null;
  return url.includes("transport=tcp") ? "tcp" : "udp";
}

/**
 * Whether a relay is reached that way; null where none is set up.
 * @param {RTCIceServer[]} servers
 * @param {Way} way
 * @param {(config: RTCConfiguration) => RTCPeerConnection} [create]
 * @returns {Promise<boolean | null>}
 */
export async function isRelayReached(servers, way, create = (config) => new RTCPeerConnection(config)) {
  const iceServers = serversFor(servers, way);
  if (iceServers.length === 0) return null;
  const connection = create({ iceServers, iceTransportPolicy: "relay" });
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  try {
    connection.createDataChannel("check");
    const found = new Promise((resolve) => {
      connection.onicecandidate = ({ candidate }) => {
        if (!candidate) resolve(false);
        else if (candidate.type === "relay" || / typ relay /.test(candidate.candidate)) resolve(true);
      };
      timer = setTimeout(() => resolve(false), GATHER_WITHIN_MS);
    });
    await connection.setLocalDescription();
    return Boolean(await found);
  } finally {
    clearTimeout(timer);
    connection.onicecandidate = null;
    connection.close();
  }
}

/**
 * Everything about the link that can be looked at without a person; told step by step.
 * @param {{ live: Prober, servers: RTCIceServer[], onStep?: (name: string, value: number | boolean | null) => void }} parts
 */
export async function lookAtLink({ live, servers, onStep = () => {} }) {
  const found = {
    rtt_ms: await tell("rtt_ms", measureRoundTrip(live).catch(() => null)),
    down_kbps: await tell("down_kbps", measureDown()),
    up_kbps: await tell("up_kbps", measureUp()),
    relay_udp: await tell("relay_udp", isRelayReached(servers, "udp")),
    relay_tcp: await tell("relay_tcp", isRelayReached(servers, "tcp")),
    relay_tls: await tell("relay_tls", isRelayReached(servers, "tls")),
  };
  const relays = [found.relay_udp, found.relay_tcp, found.relay_tls].filter((each) => each !== null);
  const is_well = found.rtt_ms !== null && found.up_kbps !== null && found.down_kbps !== null && (relays.length === 0 || relays.includes(true));
  return { ...found, is_well };

  /**
   * @template {number | boolean | null} T
   * @param {string} name
   * @param {Promise<T>} value
   */
  async function tell(name, value) {
    const known = await value;
    onStep(name, known);
    return known;
  }
}

/**
 * Keep what was found in the link profile of the own station.
 * @param {object} found
 * @param {boolean} isDrill
 * @returns {Promise<boolean>} false when there is no station to keep it for
 */
export async function saveCheck(found, isDrill) {
  const key = crypto.randomUUID().replaceAll("-", "").slice(0, 22);
  const answer = await fetch("/check/result", {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-By-Itself": "1" },
    body: JSON.stringify({ key, is_drill: isDrill, ...found }),
  });
  if (!answer.ok) throw new Error(String(answer.status));
  return Boolean((await answer.json()).saved);
}
